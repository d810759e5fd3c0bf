/**
 * Judges agents of the package resource-agents, unchanged, under sm's runner with the environment that sm's engine makes: by
 * the package's own cases, or else by what the meta-data, the comments at the head and the OCF API say.
 */
import { join } from 'node:path';
import type { ActionDefinition, ServiceDefinition } from '../../src/core/definitions/model.ts';
import { invocation } from '../../src/core/service/invocation.ts';
import { ExecLab } from './exec.ts';
import { type Environment, ended, Ocft, type OcftFailure, type RunAgent } from './ocft.ts';

const OCF_ROOT = '/usr/lib/ocf';
const TIMEOUT_MS = 20_000;

export interface Finding {
  readonly agent: string;
  readonly cases: number;
  /** Results that are stated and that were looked at. */
  readonly stated: number;
  readonly failures: readonly OcftFailure[];
  /** Where the agent of this version does not do what is stated, whoever calls it: a plain shell found the same. */
  readonly own: readonly OcftFailure[];
}

export type Step = readonly [
  command: string,
  code: number,
  holds?: (() => boolean) | undefined,
  parameters?: Environment,
];

/** As the engine would call it: the parameters go through the text of SERVICE_INSTANCES and SERVICE_ACTIONS. */
function engineEnvironment(
  agent: string,
  command: string,
  variables: Environment,
  timeoutMs: number,
): Environment {
  const instance: string[] = [];
  const plugin: string[] = [];
  for (const [name, value] of Object.entries(variables)) {
    if (name === 'OCF_CHECK_LEVEL') instance.push(`check_level=${value}`);
    const [, meta, key] = /^OCF_RESKEY_(CRM_meta_)?(.*)$/.exec(name) ?? [];
    if (key !== undefined) (meta === undefined ? instance : plugin).push(`${key}=${value}`);
  }
  const service = { name: agent, instanceName: 'test', instanceParameters: instance.join(',') };
  const action = {
    action: 'enable',
    pluginType: 'ocf-script',
    pluginClass: 'heartbeat',
    pluginName: agent,
    pluginCommand: command,
    pluginParameters: plugin.join(','),
    timeoutMs,
    intervalMs: 0,
  };
  const called = invocation(service as ServiceDefinition, action as ActionDefinition);
  if (!called.ok) throw new Error(called.error);
  return called.environment;
}

/** By nobody: what the agent does by itself, called as ocft calls it. */
async function runPlainly(
  agent: string,
  command: string,
  variables: Environment,
  timeoutMs: number,
): Promise<string> {
  const environment = {
    OCF_RESKEY_CRM_meta_timeout: String(timeoutMs),
    ...variables,
    OCF_ROOT,
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '0',
    OCF_RESOURCE_TYPE: agent,
    OCF_RESOURCE_INSTANCE: 'ocft',
  };
  const path = join(OCF_ROOT, 'resource.d', 'heartbeat', agent);
  const limit = `${Math.ceil(timeoutMs / 1000)}s`;
  // As there, in a session of its own: what it starts for good does not belong to the one who called it.
  const words = ['--wait', 'timeout', '--kill-after=3s', limit, path, command];
  const { status, stderr } = await ended('setsid', words, environment);
  return `${status} ${stderr.trim()}`;
}

export class AgentJudge {
  readonly #lab: ExecLab;
  #calls = 0;

  /** `run`: where the runner keeps its files. */
  constructor(run: string) {
    this.#lab = new ExecLab('off', { directories: { lsb: run, ocfRoot: OCF_ROOT, run } });
  }

  async #run(agent: string, command: string, variables: Environment, timeoutMs: number): Promise<string> {
    const run = this.#lab.start(agent, {
      // Two lines may run the same agent at once: an output of its own for each.
      service: `${agent}-${++this.#calls}`,
      pluginType: 'ocf-script',
      pluginClass: 'heartbeat',
      command,
      environment: engineEnvironment(agent, command, variables, timeoutMs),
      timeoutMs,
    });
    const { outcome, tail } = await this.#lab.done(run, timeoutMs + 5000);
    return `${outcome.kind === 'exit' ? outcome.code : JSON.stringify(outcome)} ${tail}`;
  }

  /** By the package's cases in this file. What goes wrong is done again by a plain shell. */
  async byCases(file: string, agent: string, fill: Environment = {}): Promise<Finding> {
    const run =
      (how: typeof runPlainly): RunAgent =>
      (...call) =>
        how(agent, ...call);
    const found = await new Ocft(file, run(this.#run.bind(this)), fill).runAll();
    if (found.failures.length === 0) return { agent, ...found, own: [] };
    const again = new Set(found.failures.map(({ case: name }) => name));
    const plain = await new Ocft(file, run(runPlainly), fill).runAll(again);
    const isOwn = (failure: OcftFailure): boolean =>
      plain.failures.some(
        ({ case: name, step, found: words }) =>
          name === failure.case && step === failure.step && words[0] === failure.found[0],
      );
    const own = found.failures.filter(isOwn);
    return { agent, ...found, failures: found.failures.filter((failure) => !own.includes(failure)), own };
  }

  /** By a list of actions, each with the code that it must end with and what must hold then. */
  async bySteps(agent: string, parameters: Environment, list: readonly Step[]): Promise<Finding> {
    const failures: OcftFailure[] = [];
    for (const [command, code, holds, change] of list) {
      const variables: Record<string, string> = {};
      for (const [key, value] of Object.entries({ ...parameters, ...change })) {
        variables[key.startsWith('OCF_') ? key : `OCF_RESKEY_${key}`] = value;
      }
      const found = await this.#run(agent, command, variables, TIMEOUT_MS);
      const held = holds?.() ?? true;
      if (!found.startsWith(`${code} `) || !held)
        failures.push({ case: agent, step: `${command} must be ${code}`, found: `${found} ${held}` });
    }
    return { agent, cases: 0, stated: list.length, failures, own: [] };
  }

  close(): Promise<void> {
    return this.#lab.close([]);
  }
}
