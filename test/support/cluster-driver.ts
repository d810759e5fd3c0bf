/**
 * The cluster part of one node on a fake clock. Its groups obey at once unless told to take their time; the watchdog's
 * facts and the peer's reports are made up by the test.
 */
import { Cluster } from '../../src/core/cluster/cluster.ts';
import type { DefinitionSet, DomainDefinition, GroupDefinition } from '../../src/core/definitions/model.ts';
import type {
  EngineEffect,
  GuardFact,
  OperatorCommand,
  PersistEffect,
  Restored,
} from '../../src/core/engine-interface.ts';
import type { InterfaceRole } from '../../src/core/kernel/names.ts';
import type { GroupReport, Operation, Report } from '../../src/core/link/types.ts';
import type { GroupView, LocalEvent } from '../../src/core/service/interface.ts';
import { A, B, DOMAIN, emptyReport, life, MANAGEMENT, OAM } from './guard-driver.ts';

export { A, B, life };

export function pairGroup(name: string, change: Partial<GroupDefinition> = {}): GroupDefinition {
  return {
    name,
    redundancyModel: 'N + M',
    nActive: 1,
    mStandby: 1,
    aggregate: '',
    activeOnlyIfActive: '',
    exclusive: true,
    autoRecover: true,
    core: false,
    failureDebounceMs: 0,
    fatalErrorReboot: false,
    members: [],
    ...change,
  };
}

export const everywhere = (name: string): GroupDefinition =>
  pairGroup(name, { redundancyModel: 'N', nActive: 2, mStandby: 0, exclusive: false });

export const NOTHING: Restored = {
  number: 0,
  settled: false,
  led: false,
  kernelLife: '',
  nodes: [],
  numbers: [],
  operations: [],
  groups: [],
  services: [],
  intents: [],
  peerKernelLife: '',
  boots: [],
};

export interface ClusterOptions {
  readonly node?: string;
  readonly nodes?: readonly string[];
  readonly groups?: readonly GroupDefinition[];
  readonly domain?: Partial<DomainDefinition>;
  readonly restored?: Partial<Restored>;
  readonly failPendingMs?: number;
  readonly notReady?: string;
  /** Leave sm-watchdog away. */
  readonly bare?: boolean;
}

const KERNEL = life('own kernel');
const WALL = 1_000_000_000;
const ROLES: readonly InterfaceRole[] = [MANAGEMENT, OAM];

/** Groups that obey at once; `slow` ones when `finish` is called. */
class FakeLocal {
  readonly views = new Map<string, GroupView>();
  readonly slow = new Set<string>();
  readonly wants: string[] = [];
  readonly recovered: string[] = [];
  readonly tokens = new Map<string, { activation: number; deadline: number }>();

  constructor(groups: readonly GroupDefinition[]) {
    for (const { name } of groups) {
      this.views.set(name, {
        name,
        desired: 'initial',
        state: 'initial',
        status: '',
        condition: '',
        health: 1,
        reason: '',
        inactive: true,
        activation: 0,
        parked: '',
        stuck: '',
      });
    }
  }

  step(event: LocalEvent): void {
    if (event.type === 'group.recover') this.recovered.push(event.group);
    else if (event.type === 'group.revoke') {
      this.wants.push(`${event.group} revoked`);
      this.#become(event.group, 'disabled');
    } else if (event.type === 'group.want') {
      if (event.desired === 'active') this.tokens.set(event.group, event.token);
      if (this.group(event.group).desired === event.desired) return;
      this.wants.push(`${event.group} ${event.desired}`);
      this.#become(event.group, event.desired);
    }
  }

  group(name: string): GroupView {
    const view = this.views.get(name);
    if (view === undefined) throw new Error(`no group ${name}`);
    return view;
  }

  groups(): GroupView[] {
    return [...this.views.values()];
  }

  set(name: string, change: Partial<GroupView>): void {
    this.views.set(name, { ...this.group(name), ...change });
  }

  finish(name: string): void {
    const { desired } = this.group(name);
    if (desired === 'initial') return;
    const active = desired === 'active';
    this.set(name, {
      state: desired,
      inactive: !active,
      activation: active ? (this.tokens.get(name)?.activation ?? 0) : 0,
    });
  }

  #become(name: string, desired: 'active' | 'standby' | 'disabled'): void {
    const state = desired === 'active' ? 'go-active' : desired === 'standby' ? 'go-standby' : 'disabling';
    const { inactive } = this.group(name);
    this.set(name, { desired, state, inactive: desired === 'active' ? false : inactive });
    if (!this.slow.has(name)) this.finish(name);
  }
}

export class ClusterDriver {
  readonly cluster: Cluster;
  readonly local: FakeLocal;
  readonly me: string;
  readonly other: string;
  now = 10_000;
  effects: EngineEffect[] = [];
  readonly #timers = new Map<string, { at: number; generation: number }>();
  readonly #definitions: DefinitionSet;
  #peerGroups = new Map<string, Partial<GroupReport>>();
  #reports = 0;

  constructor(options: ClusterOptions = {}) {
    const groups = options.groups ?? [pairGroup('oam')];
    const nodes = options.nodes ?? [A, B];
    this.me = options.node ?? A;
    this.other = nodes.find((name) => name !== this.me) ?? '';
    this.#definitions = {
      digest: 'd',
      domain: { ...DOMAIN, ...options.domain },
      nodes,
      interfaces: ROLES.map((role, index) => ({ role, weight: index === 0 ? 4 : 1 })),
      groups: new Map(groups.map((group) => [group.name, group])),
      services: new Map(),
      dependencies: [],
      results: [],
      enablingThrottle: 10,
      failPendingMs: options.failPendingMs ?? 2000,
    } as unknown as DefinitionSet;
    this.local = new FakeLocal(groups);
    this.cluster = new Cluster(
      {
        node: this.me,
        definitions: this.#definitions,
        kernelLife: KERNEL,
        restored: { ...NOTHING, number: 1, ...options.restored },
        startedWallMs: WALL,
        notReady: options.notReady ?? '',
      },
      this.local,
      (effect) => this.#take(effect),
    );
    this.cluster.start(this.now);
    if (options.bare === true) return;
    this.hello();
  }

  fact(fact: GuardFact): void {
    this.cluster.onFact(fact, this.now);
  }

  hello(change: Partial<Extract<GuardFact, { type: 'guard.hello' }>> = {}): void {
    this.fact({
      type: 'guard.hello',
      fresh: true,
      holding: false,
      processLife: life('own'),
      kernelLife: KERNEL,
      deadline: Number.POSITIVE_INFINITY,
      lost: false,
      ...change,
    });
  }

  heard(change: Partial<Extract<GuardFact, { type: 'guard.peer'; heard: true }>> = {}): void {
    this.fact({
      type: 'guard.peer',
      heard: true,
      processLife: life('peer'),
      kernelLife: life('peer kernel'),
      newKernelLife: false,
      stopBoundMs: 300,
      ...change,
    });
  }

  silent(mayTake = true, stopBoundMs = 300): void {
    const reason = mayTake ? 'silence with every link up' : 'own links down';
    this.fact({ type: 'guard.peer', heard: false, since: this.now - 800, mayTake, reason, stopBoundMs });
  }

  announced(number: number): void {
    this.fact({ type: 'guard.announcement', number });
  }

  /** What the peer runs from now on; taken into its next reports. */
  peerGroup(name: string, change: Partial<GroupReport>): void {
    this.#peerGroups.set(name, { ...this.#peerGroups.get(name), ...change });
  }

  report(change: Partial<Report> = {}, leaving = false): void {
    this.#reports += 1;
    const groups = [...this.#definitions.groups.keys()].map((name) => ({
      name,
      state: 'standby' as const,
      desired: 'standby' as const,
      status: '' as const,
      condition: '' as const,
      health: 1,
      runs: 0,
      inactive: true,
      stopped: 0,
      activationMax: 0,
      holder: '',
      holderActivation: 0,
      order: 'initial' as const,
      reason: '',
      ...this.#peerGroups.get(name),
    }));
    const node = {
      name: this.other,
      administrative: 'unlocked',
      operational: 'enabled',
      availability: 'available',
      ready: 'enabled',
      administrativeVersion: 0,
      lockedUntil: 0,
      lockReason: '',
    } as const;
    this.fact({
      type: 'guard.report',
      report: emptyReport({ settled: false, ...this.#followed(), groups, nodes: [node], ...change }),
      version: this.#reports,
      managerDownMs: 0,
      linkBits: 0b0111_0111,
      leaving,
    });
  }

  /** What a peer says that has read who leads. */
  #followed(): Partial<Report> {
    if (this.state !== 'leader') return { number: 0 };
    return { domainState: 'backup', leader: this.me, number: this.number };
  }

  /** A newer report of the peer is on its way: a part of it, or a heartbeat that names it, has come. */
  reportAwaited(): void {
    const reportVersion = this.#reports + 1;
    const facts = { reportVersion, managerDownMs: 0, linkBits: 0b0111_0111, leaving: false };
    this.fact({ type: 'guard.peer-links', ...facts });
  }

  /** Exchanged; this node leads, with number 2. `reads`: what the peer says then; without it, that it follows. */
  lead(reads: Partial<Report> = {}): this {
    for (const role of ROLES) this.fact({ type: 'guard.link', role, up: true, heard: true, reason: '' });
    this.heard();
    this.report({ domainState: 'waiting', leader: '', number: 0 });
    this.report(reads);
    return this;
  }

  /** Exchanged, the peer leads with this number. */
  follow(number = 5): this {
    for (const role of ROLES) this.fact({ type: 'guard.link', role, up: true, heard: true, reason: '' });
    this.heard();
    this.report({ domainState: 'leader', leader: this.other, number, settled: true });
    return this;
  }

  command(kind: Operation['kind'], node: string, forMs = 0, group = '') {
    const command: Extract<OperatorCommand, { node: string }> = { kind, node, group, why: 'test', forMs };
    return this.cluster.onCommand(command, 'operator', WALL + this.now - 10_000, this.now);
  }

  finish(name: string): void {
    this.local.finish(name);
    this.cluster.evaluate(this.now);
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (let steps = 0; ; steps += 1) {
      if (steps > 1000) throw new Error('timers do not come to rest');
      let next: { key: string; at: number; generation: number } | null = null;
      for (const [key, timer] of this.#timers) if (timer.at <= (next?.at ?? until)) next = { key, ...timer };
      if (next === null) break;
      this.now = Math.max(this.now, next.at);
      this.#timers.delete(next.key);
      this.cluster.onTimer({ type: 'timer', key: next.key, generation: next.generation }, this.now);
    }
    this.now = until;
  }

  get state(): string {
    return this.cluster.domainView().state;
  }

  get number(): number {
    return this.cluster.domainView().number;
  }

  numbers(group = 'oam') {
    return this.cluster.numbers().of(group);
  }

  /** The newest report that sm-watchdog was given. */
  get said() {
    const sent = this.effects.filter((effect) => effect.type === 'guard.send').at(-1);
    if (sent?.type !== 'guard.send') throw new Error('nothing said');
    return sent;
  }

  saidGroup(name = 'oam'): GroupReport {
    const group = this.said.report.groups.find((candidate) => candidate.name === name);
    if (group === undefined) throw new Error(`nothing said of ${name}`);
    return group;
  }

  persisted<T extends PersistEffect['type']>(type: T): Extract<PersistEffect, { type: T }>[] {
    return this.effects.filter(
      (effect): effect is Extract<PersistEffect, { type: T }> => effect.type === type,
    );
  }

  get holding(): boolean {
    const hold = this.effects.filter((effect) => effect.type === 'guard.hold').at(-1);
    return hold?.type === 'guard.hold' && hold.holding;
  }

  /** What a new `sm` of this node would find in its store. */
  restored(kernelLife = KERNEL): Restored {
    const domain = this.persisted('persist.domain').at(-1);
    const operations = new Map(
      this.persisted('persist.operation').map(({ operation }) => [operation.id, operation]),
    );
    return {
      ...NOTHING,
      number: domain?.number ?? 0,
      settled: domain?.settled ?? false,
      led: domain?.led ?? false,
      kernelLife,
      nodes: this.cluster.nodes(),
      numbers: this.cluster.numbers().all(),
      operations: [...operations.values()],
      groups: this.local.groups().map(({ name, desired }) => ({ group: name, desired })),
      peerKernelLife: this.persisted('persist.neighbor').at(-1)?.kernelLife ?? '',
    };
  }

  operation(id: string): Operation | undefined {
    return this.cluster.operations().find((operation) => operation.id === id);
  }

  #take(effect: EngineEffect): void {
    if (effect.type === 'timer') {
      const { key, at, generation } = effect;
      if (at === null) this.#timers.delete(key);
      else this.#timers.set(key, { at, generation });
      return;
    }
    this.effects.push(effect);
  }
}
