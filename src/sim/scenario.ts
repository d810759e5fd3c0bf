/**
 * Scenario files: what happens to a small cluster, told in commands, and the trace that must come of it. The first line
 * says what the file shows, then commands up to a line `----`, then the trace.
 */
import { INTERFACE_ROLES, type InterfaceRole } from '../core/kernel/names.ts';
import type { OperationKind } from '../core/link/types.ts';
import { notConverged } from './convergence.ts';
import { acts } from './executor.ts';
import { FaultInjector } from './faults.ts';
import type { Wire } from './network.ts';
import type { SimNode } from './node.ts';
import {
  type ArbiterShape,
  BREAK_NAMES,
  EVERYWHERE,
  FAULT_KINDS,
  type GroupShape,
  NO_ARBITER,
  PAIR,
  type ServiceShape,
  type SimOptions,
  WORLD_CLASSES,
} from './options.ts';
import { QUIET_WORLD } from './quiet.ts';
import { endFaults, powerOnAll } from './run.ts';
import { drawOptions } from './swarm.ts';
import { type Tracer, World, type WorldParts } from './world.ts';

export interface ScenarioResult {
  /** The whole file as it should be: title, commands, trace. */
  readonly text: string;
  /** Expectations that did not hold, and violations. */
  readonly failures: readonly string[];
}

const SEPARATOR = '----';
/** Longest boot, exchange, and start of every service. */
const SETTLE_MS = 4000;

function service(name: string, shape: Partial<ServiceShape> = {}): ServiceShape {
  return { name, promotable: false, kernelState: false, after: '', impact: 'critical', ...shape };
}

const GROUPS: readonly GroupShape[] = [
  {
    ...PAIR,
    name: 'oam',
    aggregate: 'controller',
    services: [service('oam-ip', { kernelState: true }), service('oam-proxy', { after: 'oam-ip' })],
  },
  {
    ...PAIR,
    name: 'database',
    aggregate: 'controller',
    services: [service('postgres', { promotable: true })],
  },
  {
    ...EVERYWHERE,
    name: 'web',
    services: [service('web-server')],
  },
];

/** A quiet world whose clocks run apart by the most that is assumed. */
function scenarioOptions(settings: ReadonlyMap<string, string>): SimOptions {
  const { nodes, domain } = QUIET_WORLD;
  const stopBoundMs = Number(settings.get('second-stop-bound'));
  const policy = settings.get('policy') === 'stay' ? 'stay' : 'takeover';
  const failureDebounceMs = Number(settings.get('debounce') ?? domain.failureDebounceMs);
  return {
    ...QUIET_WORLD,
    seed: Number(settings.get('seed') ?? 1),
    nodes: settings.has('simplex') ? nodes.slice(0, 1) : nodes,
    links: Number(settings.get('links') ?? 3),
    domain: { ...domain, policy, failureDebounceMs },
    secondDomain: settings.has('second-stop-bound') ? { stopBoundMs, killVerifyMs: 100 } : {},
    arbiter: arbiterOf(settings.get('arbiter') ?? ''),
    groups: GROUPS,
    clockRates: settings.get('clock-rates')?.split(' ').map(Number) ?? [0.95, 1.05],
    carrierLateness: Number(settings.get('carrier-lateness') ?? 1),
  };
}

/** `set arbiter etcd`, `disk`, `fence`, a record and `fence`, or any and `gateways`. */
function arbiterOf(words: string): ArbiterShape {
  const record = words.includes('etcd') ? 'etcd' : words.includes('disk') ? 'disk' : 'none';
  return { ...NO_ARBITER, record, fence: words.includes('fence'), gateways: words.includes('gateways') };
}

/** A world that `sm-sim run` drew: the finding of a seed, cut down (shrink.ts). */
function drawnOptions(settings: ReadonlyMap<string, string>): SimOptions {
  const word = <T extends string>(name: string, words: readonly T[]): T | undefined =>
    words.find((candidate) => candidate === settings.get(name));
  const broken = word('break', BREAK_NAMES);
  const drawn = drawOptions({
    seed: Number(settings.get('seed') ?? 1),
    minutes: 0,
    worldClass: word('drawn', WORLD_CLASSES) ?? 'default',
    breaks: broken === undefined ? [] : [broken],
  });
  const kept = settings.get('groups')?.split(' ');
  const groups = drawn.groups.filter(({ name }) => kept === undefined || kept.includes(name));
  return { ...drawn, groups, faults: {} };
}

/** `wire`: for a scenario that says `set wire signed`; without one frames travel as objects there too. */
export function runScenario(file: string, wire?: Wire): ScenarioResult {
  const [head = ''] = file.split(`\n${SEPARATOR}\n`, 1);
  const lines = head.split('\n').map((line) => line.trim());
  const settings = new Map<string, string>();
  for (const line of lines) {
    const [word, name, ...rest] = line.split(/\s+/);
    if (word === 'set' && name !== undefined) settings.set(name, rest.join(' '));
  }
  const signed = settings.get('wire') === 'signed' && wire !== undefined;
  const stage = new Stage(
    settings.has('drawn') ? drawnOptions(settings) : scenarioOptions(settings),
    signed ? { wire } : {},
  );
  for (const line of lines.slice(1)) {
    if (line === '' || line.startsWith('#') || line.startsWith('set ')) continue;
    stage.command(line);
  }
  const trace = stage.lines.join('\n');
  return { text: `${head.trimEnd()}\n${SEPARATOR}\n${trace}\n`, failures: stage.failures };
}

const SHOWN_HISTORY = /^(domain|operation|group|node) /;

class Stage {
  readonly world: World;
  readonly lines: string[] = [];
  readonly failures: string[] = [];
  readonly #faults: FaultInjector;
  #quiet = false;
  #origin = 0;

  constructor(options: SimOptions, parts: Pick<WorldParts, 'wire'>) {
    this.world = new World(options, { ...parts, trace: (...line) => this.#trace(...line) });
    this.#faults = new FaultInjector(this.world);
  }

  command(line: string): void {
    this.lines.push(`> ${line}`);
    const [verb = '', ...words] = line.split(/\s+/);
    const work = this.#verbs[verb];
    if (work === undefined) throw new Error(`unknown command: ${line}`);
    work(words);
  }

  readonly #verbs: Readonly<Record<string, (words: readonly string[]) => void>> = {
    settle: () => this.#settle(),
    run: ([duration]) => this.world.run(this.world.now + milliseconds(duration)),
    at: (words) => this.#fault(words),
    'end-faults': () => {
      const { reason } = endFaults(this.world, this.#faults);
      if (reason !== '') this.#failed(`not converged: ${reason}`);
    },
    start: ([name]) => {
      if (name === 'drawn') return powerOnAll(this.world);
      for (const node of this.#nodes(name)) node.powerOn();
    },
    'power-off': ([name]) => {
      for (const node of this.#nodes(name)) node.powerOff();
    },
    kill: ([what, name]) => {
      for (const node of this.#nodes(name)) kill(node, what ?? '');
    },
    stall: ([what, name, duration]) => {
      for (const { manager, watchdog } of this.#nodes(name)) {
        if (what !== 'sm-watchdog') manager.stall(milliseconds(duration));
        if (what !== 'sm') watchdog.stall(milliseconds(duration));
      }
    },
    stop: ([name]) => {
      for (const node of this.#nodes(name)) node.shutDown('scenario');
    },
    pause: ([name]) => {
      for (const node of this.#nodes(name)) node.pause();
    },
    'go-on': ([name]) => {
      for (const node of this.#nodes(name)) node.goOn();
    },
    isolate: ([link, name]) => {
      for (const { index } of this.#nodes(name))
        for (const role of this.#roles(link)) this.world.network.isolate(role, index, 1);
    },
    rejoin: ([link, name]) => {
      for (const { index } of this.#nodes(name))
        for (const role of this.#roles(link)) this.world.network.isolate(role, index, -1);
    },
    gateway: ([link, name, state]) => {
      for (const { index } of this.#nodes(name))
        for (const role of this.#roles(link))
          this.world.network.gatewayFault(role, index, state === 'down' ? 1 : -1);
    },
    redefine: ([name]) => {
      for (const node of this.#nodes(name)) node.redefine();
    },
    clock: ([name, seconds]) => {
      for (const node of this.#nodes(name)) node.wallStepMs += Number(seconds) * 1000;
    },
    cut: ([link, path]) => this.#paths(link, path, (role, from) => this.world.network.cut(role, from)),
    heal: ([link, path]) => this.#paths(link, path, (role, from) => this.world.network.heal(role, from)),
    carrier: ([link, name, state]) => {
      for (const node of this.#nodes(name)) {
        for (const role of this.#roles(link)) node.carrierFault(role, state === 'down' ? 1 : -1);
      }
    },
    disk: ([name, state, slowness]) => {
      for (const { disk } of this.#nodes(name)) {
        disk.failing = state === 'fails';
        disk.slowMs = state === 'slow' ? milliseconds(slowness) : 0;
      }
    },
    lose: ([link, path, share]) =>
      this.#paths(link, path === 'both' ? undefined : path, (role, from) =>
        this.world.network.lose(role, from, Number(share)),
      ),
    delay: ([link, path, duration]) =>
      this.#paths(link, path === 'both' ? undefined : path, (role, from) =>
        this.world.network.delay(role, from, milliseconds(duration)),
      ),
    key: ([link, name, key = '']) => {
      for (const { index } of this.#nodes(name))
        for (const role of this.#roles(link)) this.world.network.setKey(role, index, key);
    },
    arbiter: ([state, name]) => {
      const { arbiters } = this.world;
      const by = state === 'cut' || state === 'down' ? 1 : -1;
      if (state === 'down' || state === 'up') return arbiters.stop(by);
      for (const { index } of this.#nodes(name)) arbiters.cut(index, by);
    },
    bmc: ([name, state]) => {
      for (const { index } of this.#nodes(name)) {
        if (state === 'works') this.world.arbiters.healAll();
        else if (state === 'wrong') this.world.arbiters.plug(index, { on: false });
        else this.world.arbiters.bmcFault(index, state === 'lies' || state === 'slow' ? state : 'down', 1);
      }
    },
    'confirm-dead': ([name = '', at = '']) =>
      this.world.command(this.world.node(at), { kind: 'confirm-dead', node: name, why: 'scenario' }),
    imposter: ([name, , duration]) => {
      const { now } = this.world;
      const { index } = this.world.node(name ?? '');
      const durationMs = milliseconds(duration);
      this.#faults.schedule([{ at: now, kind: 'equal-identity', node: index, which: 0, durationMs }]);
    },
    die: ([service, name]) => {
      for (const { executor } of this.#nodes(name)) executor.processDies(executor.service(service ?? ''));
    },
    script: ([service, name, fault, times = '1']) => {
      if (fault === 'works') {
        for (const { executor } of this.#nodes(name)) executor.service(service ?? '').faults.length = 0;
        return;
      }
      if (fault !== 'hangs' && fault !== 'fails' && fault !== 'lies' && fault !== 'slow')
        throw new Error(`script ${fault}?`);
      for (const { executor } of this.#nodes(name))
        for (let i = 0; i < Number(times); i++) executor.service(service ?? '').faults.push(fault);
    },
    swact: (words) => this.#operation('swact', words),
    'swact-force': (words) => this.#operation('swact-force', words),
    lock: (words) => this.#operation('lock', words),
    unlock: (words) => this.#operation('unlock', words),
    recover: (words) => this.#operation('recover', words),
    expect: (words) => this.#expect(words),
    show: () => this.#show(),
  };

  /** Both nodes boot, one after the other, and come to rest; the trace, and its time, begin when they have. */
  #settle(): void {
    this.#quiet = true;
    for (const node of this.world.nodes) node.powerOn();
    this.world.run(this.world.now + SETTLE_MS);
    this.#quiet = false;
    this.#origin = this.world.now;
    const reason = notConverged(this.world);
    if (reason !== null) this.#failed(`not converged: ${reason}`);
    this.#show();
  }

  #trace(...[atMs, node, kind, text]: Parameters<Tracer>): void {
    if (this.#quiet && kind !== 'violation') return;
    if (kind === 'history' && !SHOWN_HISTORY.test(text)) return;
    if (kind === 'violation') this.failures.push(`${node}: ${text}`);
    const [short] = text.split(' | ');
    this.lines.push(`${((atMs - this.#origin) / 1000).toFixed(3).padStart(8)} ${node.padEnd(12)} ${short}`);
  }

  #operation(kind: OperationKind, [target = '', at = target]: readonly string[]): void {
    const command = { kind, node: this.world.node(target).name, group: '', why: 'scenario', forMs: 0 };
    this.world.command(this.world.node(at), command);
  }

  /** `at 1200ms power-off controller-0 picks 0.5 for 800ms`: a fault as the swarm draws them. */
  #fault([at, word, name, , which, , duration]: readonly string[]): void {
    const kind = FAULT_KINDS.find((candidate) => candidate === word);
    if (kind === undefined) throw new Error(`no fault ${word}`);
    const { index } = this.world.node(name ?? '');
    const durationMs = milliseconds(duration);
    this.#faults.schedule([{ at: milliseconds(at), kind, node: index, which: Number(which), durationMs }]);
  }

  #expect([group = '', where = '', ...rest]: readonly string[]): void {
    if (group === 'converged') {
      const reason = notConverged(this.world);
      if (reason !== null) this.#failed(`not converged: ${reason}`);
      return;
    }
    const wanted =
      where === 'nowhere'
        ? []
        : where === 'both'
          ? this.world.nodes.map(({ name }) => name)
          : [where, ...rest];
    const active = this.world.nodes.filter((node) => isActive(node, group)).map(({ name }) => name);
    if (active.join(' ') !== wanted.join(' ')) {
      this.#failed(
        `${group} is active on ${active.join(' ') || 'no node'}, wanted on ${wanted.join(' ') || 'no node'}`,
      );
    }
  }

  #failed(text: string): void {
    this.lines.push(`! ${text}`);
    this.failures.push(text);
  }

  /** What is really there, and who leads. */
  #show(): void {
    const { world } = this;
    for (const node of world.nodes) {
      const services = [...node.executor.services.values()].map(
        ({ name, role, activation }) => `${name} ${role}${activation > 0 ? `/${activation}` : ''}`,
      );
      const view = node.manager.engine?.view(node.clock.read(world.now));
      const domain = view === undefined ? 'no sm' : `${view.domain.state} ${view.domain.number}`;
      this.lines.push(`  ${node.name}: ${node.powered ? domain : 'off'}; ${services.join(', ')}`);
    }
  }

  #nodes(name = ''): readonly SimNode[] {
    return name === 'both' ? this.world.nodes : [this.world.node(name)];
  }

  #roles(link = ''): readonly InterfaceRole[] {
    if (link === 'all') return this.world.network.roles;
    const role = INTERFACE_ROLES.find((candidate) => candidate === `${link}-interface`);
    if (role === undefined) throw new Error(`no link ${link}`);
    return [role];
  }

  /** `path` is `controller-0->controller-1`, or nothing for both directions. */
  #paths(
    link: string | undefined,
    path: string | undefined,
    work: (role: InterfaceRole, from: number) => void,
  ): void {
    const from = path === undefined ? [0, 1] : [this.world.node(path.split('->')[0] ?? '').index];
    for (const role of this.#roles(link)) for (const index of from) work(role, index);
  }
}

function kill(node: SimNode, what: string): void {
  if (what === 'sm-arbiter') return node.arbiter.die('SIGKILL');
  if (what !== 'sm-watchdog') node.endManager('SIGKILL');
  if (what !== 'sm') node.endWatchdog('SIGKILL');
}

function isActive(node: SimNode, group: string): boolean {
  const services = [...node.executor.services.values()].filter((service) => service.group === group);
  return services.length > 0 && services.every(acts);
}

function milliseconds(text = ''): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  if (match === null) throw new Error(`a duration such as 500ms or 3s is expected, not ${text}`);
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'];
}
