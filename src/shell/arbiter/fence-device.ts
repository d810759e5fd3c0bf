/**
 * One fence device: a fence agent of ClusterLabs with its parameters. Says what was read or why nothing is known, with
 * the causes told apart; whether the node is off is judged by `Fencing` from readings alone.
 */
import { spawn } from 'node:child_process';
import type { PowerAction, PowerAnswer } from '../../core/arbiter/fence.ts';
import type { Answer, ArbiterCause } from '../../core/arbiter/interface.ts';
import type { Result } from '../../core/kernel/errors.ts';
import { parameterFaults, readMetadata } from './agent-metadata.ts';
import { type AgentEnd, lastLine, runAgent } from './agent-process.ts';
import { type Reach, reachRmcp, reachTcp } from './reach.ts';
import { blotted } from './secret.ts';

export interface FenceDeviceOptions {
  readonly name: string;
  /** Absolute path of the agent. */
  readonly agent: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Parameters whose values are secrets, each read anew for every call. */
  readonly secrets: ReadonlyMap<string, () => Result<string>>;
  readonly now: () => number;
}

type Input = readonly (readonly [string, string])[];

/** What the exit code of the status action says. A shell and a Python that can not run their script end with 2 as well. */
const STATUS_CODES: ReadonlyMap<number, 'on' | 'off'> = new Map([
  [0, 'on'],
  [2, 'off'],
]);
/** What the agent itself says, in the words of ClusterLabs' library. */
const STATUS_LINE = /^[ \t]*status[ \t]*:[ \t]*(on|off)[ \t]*\r?$/gim;
const METADATA_LIMIT_MS = 5000;
const REACH_LIMIT_MS = 1000;
/** The shortest STATUS_LIMIT that definitions may have. */
const REACH_MS_MIN = 100;
const IPMI_PORT = 623;

export class FenceDevice {
  readonly #options: FenceDeviceOptions;
  /** Where the device listens if its definition does not say, by its agent's own word; 0 = not known. */
  #usualPort = 0;

  constructor(options: FenceDeviceOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** `status` answers on or off; the others `done`, which says what the agent believes. */
  async power(action: PowerAction, limitMs: number): Promise<Answer<PowerAnswer>> {
    const { now, agent } = this.#options;
    const askedAt = now();
    const input = this.#input();
    if (!input.ok)
      return { kind: 'unknown', askedAt, answeredAt: now(), cause: 'auth', detail: input.error.message };
    // Whether it can be reached at all is asked within the same limit: a fencing counts with that.
    const reachMs = Math.min(REACH_LIMIT_MS, Math.max(REACH_MS_MIN, limitMs / 2));
    let reach: Promise<Reach | null> | null = null;
    const ask = (): Promise<Reach | null> => {
      reach ??= this.#reach(reachMs);
      return reach;
    };
    const late = setTimeout(ask, Math.max(0, limitMs - reachMs));
    const end = await runAgent({ path: agent, input: [['action', action], ...input.value], limitMs });
    clearTimeout(late);
    const value = meaning(action, end);
    if (value !== null) return { kind: 'known', askedAt, answeredAt: now(), value };
    const { cause, detail } = await this.#diagnose(action, end, ask);
    return {
      kind: 'unknown',
      askedAt,
      answeredAt: now(),
      cause,
      detail: blotted(detail, this.#secretsOf(input.value)),
    };
  }

  /** What is wrong with the device's own definition, by the agent's own word; empty = nothing. */
  async faults(): Promise<readonly string[]> {
    const { agent, parameters, secrets } = this.#options;
    const end = await runAgent({ path: agent, input: [['action', 'metadata']], limitMs: METADATA_LIMIT_MS });
    if (end.kind === 'not-started') return [`${agent} can not be run: ${end.detail}`];
    const metadata = end.kind === 'exit' ? readMetadata(end.stdout) : null;
    if (metadata === null) return [`${agent} tells no metadata: it is no fence agent`];
    this.#usualPort = metadata.parameters.get('ipport')?.port ?? 0;
    return parameterFaults(metadata, [...parameters.keys(), ...secrets.keys()]);
  }

  /** The machine's id as its BMC tells it; null = this kind of device does not. */
  async identity(limitMs: number): Promise<Answer<string> | null> {
    if (!this.#isIpmi()) return null;
    const { now } = this.#options;
    const askedAt = now();
    const input = this.#input();
    const unknown = (cause: ArbiterCause, detail: string): Answer<string> => {
      return { kind: 'unknown', askedAt, answeredAt: now(), cause, detail };
    };
    if (!input.ok) return unknown('auth', input.error.message);
    // Everybody may read the arguments of a process, and ipmitool takes these from there alone.
    const hidden = IPMI_ARGUMENTS.map(([name]) => name).filter((name) => this.#options.secrets.has(name));
    if (hidden.length > 0)
      return unknown('refused', `${hidden.join(', ')} would be readable: only password may be in SECRETS`);
    const text = await ipmiGuid(new Map(input.value), limitMs);
    const uuid = /GUID\s*:\s*([0-9A-Fa-f-]{32,36})/.exec(text)?.[1];
    if (uuid === undefined) return unknown('protocol', 'its BMC tells no GUID');
    return { kind: 'known', askedAt, answeredAt: now(), value: uuid };
  }

  #input(): Result<Input> {
    const input: (readonly [string, string])[] = [...this.#options.parameters];
    for (const [name, read] of this.#options.secrets) {
      const secret = read();
      if (!secret.ok) return secret;
      input.push([name, secret.value]);
    }
    return { ok: true, value: input };
  }

  #secretsOf(input: Input): string[] {
    return input.filter(([name]) => this.#options.secrets.has(name)).map(([, value]) => value);
  }

  async #diagnose(
    action: PowerAction,
    end: AgentEnd,
    ask: () => Promise<Reach | null>,
  ): Promise<{ readonly cause: ArbiterCause; readonly detail: string }> {
    if (end.kind === 'not-started')
      return { cause: 'refused', detail: `${this.#options.agent}: ${end.detail}` };
    const said = lastLine(end.stderr);
    const coded = action === 'status' && end.kind === 'exit' ? STATUS_CODES.get(end.code) : undefined;
    if (coded !== undefined) return { cause: 'protocol', detail: unsaid(coded, said) };
    const detail = end.kind === 'timeout' ? `no end within its limit${said === '' ? '' : `: ${said}`}` : said;
    const reach = await ask();
    if (reach === 'silent' || reach === 'refuses')
      return { cause: 'unreachable', detail: detail || 'it does not answer' };
    if (end.kind === 'timeout' || /tim(ed|e)[ -]?out/i.test(said)) return { cause: 'timeout', detail };
    if (AUTH.test(said) || (this.#isIpmi() && /plug status/i.test(said))) return { cause: 'auth', detail };
    return { cause: 'refused', detail: detail || `exit code ${end.code}` };
  }

  /** null = the device has no address that could be asked. */
  async #reach(limitMs: number): Promise<Reach | null> {
    const { parameters } = this.#options;
    const host = parameters.get('ip') ?? parameters.get('ipaddr');
    if (host === undefined) return null;
    const port = Number(parameters.get('ipport') ?? 0);
    if (this.#isIpmi()) return reachRmcp(host, port || IPMI_PORT, limitMs);
    const known = port || this.#usualPort;
    return known === 0 ? null : reachTcp(host, known, limitMs);
  }

  #isIpmi(): boolean {
    return (
      /\/fence_(ipmilan|idrac|ilo[345]?|imm)$/.test(this.#options.agent) && this.#options.parameters.has('ip')
    );
  }
}

const AUTH = /log ?in|password|passwd|auth|credential|permission|unauthori[sz]ed|401|403/i;

function meaning(action: PowerAction, end: AgentEnd): PowerAnswer | null {
  if (end.kind !== 'exit') return null;
  if (action !== 'status') return end.code === 0 ? 'done' : null;
  const coded = STATUS_CODES.get(end.code);
  const said = new Set([...end.stdout.matchAll(STATUS_LINE)].map(([, word]) => word?.toLowerCase()));
  return coded !== undefined && said.size === 1 && said.has(coded) ? coded : null;
}

/** The same is asked of "on": what an agent can not say shows in an audit then, not when its node has to be proven off. */
function unsaid(coded: 'on' | 'off', said: string): string {
  const line = `Status: ${coded.toUpperCase()}`;
  return `the agent said ${coded} by its exit code only, without its line "${line}"${said && ` (${said})`}`;
}

/** Parameters of the agent that ipmitool takes as arguments. */
const IPMI_ARGUMENTS = [
  ['ip', '-H'],
  ['ipport', '-p'],
  ['username', '-U'],
  ['cipher', '-C'],
] as const;

/** The password goes by the environment of ipmitool (-E), which only we and root can read. */
function ipmiGuid(input: ReadonlyMap<string, string>, limitMs: number): Promise<string> {
  const args = ['-I', input.get('lanplus') === undefined ? 'lan' : 'lanplus', '-E', '-N', '1', '-R', '1'];
  for (const [name, flag] of IPMI_ARGUMENTS) {
    const value = input.get(name);
    if (value !== undefined) args.push(flag, value);
  }
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    IPMI_PASSWORD: input.get('password') ?? '',
  };
  return new Promise((resolve) => {
    const child = spawn('ipmitool', [...args, 'mc', 'guid'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString('latin1')).slice(0, 4096);
    });
    child.on('error', () => resolve(''));
    child.on('close', () => resolve(text));
  });
}
