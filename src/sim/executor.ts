/**
 * What really runs on one node: scripts, the processes they leave, and kernel state (a mount, an address) that survives
 * the death of every process. This is the world's truth that the checkers judge; no belief of `sm` is in it.
 */
import type { ServiceAction } from '../core/kernel/names.ts';
import type { RunEffect, RunOutcome } from '../core/service/interface.ts';
import type { SimNode } from './node.ts';
import type { ServiceShape } from './options.ts';
import type { Prng } from './prng.ts';

export type Role = 'none' | 'standby' | 'active';

/** What the next scripts of a service do wrong. */
export type ScriptFault = 'hangs' | 'fails' | 'lies' | 'slow';

export interface ScriptRun {
  readonly effect: RunEffect;
  readonly startedAt: number;
  readonly done: (outcome: RunOutcome, durationMs: number) => void;
  /** Ends once; `run.done` is told only while the manager that started it lives. */
  ended: boolean;
  aborting: boolean;
}

/** One service on one node, as it really is. */
export interface ServiceTruth {
  readonly name: string;
  readonly group: string;
  readonly exclusive: boolean;
  readonly shape: ServiceShape;
  /** Its daemon; 0 = none lives. */
  pid: number;
  role: Role;
  /** Kernel state that is there whatever happens to processes. */
  held: boolean;
  frozen: boolean;
  /** The whole machine is paused. */
  standing: boolean;
  /** Activation number under which it became active; 0 = not active or not exclusive. */
  activation: number;
  readonly runs: Set<ScriptRun>;
  readonly faults: ScriptFault[];
  /** Cannot be killed until then: a process in uninterruptible sleep. */
  unkillableUntil: number;
}

/** True if the service acts: its daemon runs in the active role, or it holds active kernel state. */
export function acts(service: ServiceTruth): boolean {
  if (service.role !== 'active' || service.standing) return false;
  return (service.pid > 0 && !service.frozen) || service.held;
}

/** The script makes something active that was not: `go-active` where there is one, else `enable`. */
export function makesActive(service: ServiceTruth, action: ServiceAction): boolean {
  return service.shape.promotable ? action === 'go-active' : action === 'enable';
}

const WATCH_DELAY_MS_MAX = 100;
const KILL_DELAY_MS: readonly [number, number] = [1, 25];
const DURATIONS_MS: Readonly<Record<ServiceAction, readonly [number, number]>> = {
  enable: [20, 150],
  disable: [10, 80],
  'go-active': [10, 60],
  'go-standby': [10, 60],
  'audit-enabled': [5, 30],
  'audit-disabled': [5, 30],
};

export class Executor {
  readonly services = new Map<string, ServiceTruth>();
  readonly #node: SimNode;
  readonly #rng: Prng;
  readonly #watched = new Set<string>();
  /** Counts boots: nothing scheduled before a power-off happens after it. */
  #boot = 0;
  #nextPid = 100;

  constructor(node: SimNode, rng: Prng) {
    this.#node = node;
    this.#rng = rng;
    for (const group of node.definitions.groups.values()) {
      for (const { service } of group.members) {
        const shape = node.world.shapes.get(service);
        if (shape === undefined) continue;
        this.services.set(service, {
          name: service,
          group: group.name,
          exclusive: group.exclusive,
          shape,
          pid: 0,
          role: 'none',
          held: false,
          frozen: false,
          standing: false,
          activation: 0,
          runs: new Set(),
          faults: [],
          unkillableUntil: 0,
        });
      }
    }
  }

  service(name: string): ServiceTruth {
    const service = this.services.get(name);
    if (service === undefined) throw new Error(`no service ${name}`);
    return service;
  }

  /** Everything is gone at once, kernel state too. */
  powerOff(): void {
    this.#boot += 1;
    this.#watched.clear();
    for (const service of this.services.values()) {
      for (const run of service.runs) run.ended = true;
      service.runs.clear();
      service.faults.length = 0;
      service.unkillableUntil = 0;
      service.frozen = false;
      service.standing = false;
      this.#become(service, 'none', 0, false);
    }
  }

  spawn(effect: RunEffect, done: ScriptRun['done']): void {
    const { world } = this.#node;
    const service = this.service(effect.service);
    const run: ScriptRun = { effect, startedAt: world.now, done, ended: false, aborting: false };
    world.checkers.spawning(this.#node, service, effect);
    service.runs.add(run);
    const audit = effect.action.startsWith('audit');
    const fault = audit ? this.#auditFault(service) : this.#scriptFault(service, effect.action);
    const [from, to] = DURATIONS_MS[effect.action];
    const known = world.options.scriptMs?.(service.name, effect.action) ?? null;
    const durationMs = (known ?? this.#rng.between(from, to)) * (fault === 'slow' ? 20 : 1);
    this.#later(effect.timeoutMs, () => this.#timeout(service, run));
    world.checkers.changed(this.#node, service);
    if (fault === 'hangs') {
      // It may hang before or after it did its work.
      if (this.#rng.chance(0.5)) this.#progress(service, run, durationMs, () => this.#work(service, run));
      return;
    }
    if (fault === 'fails') {
      const works = this.#rng.chance(0.3);
      this.#progress(service, run, durationMs, () => {
        if (works) this.#work(service, run);
        this.#exit(service, run, 1);
      });
      return;
    }
    if (fault === 'lies') {
      this.#progress(service, run, durationMs, () => this.#exit(service, run, audit ? 1 : 0));
      return;
    }
    // Of a known script it is only known when it has done its work for certain.
    const share = known === null ? this.#rng.between(0.4, 0.9) : 1;
    this.#progress(service, run, durationMs * share, () => {
      if (!audit) this.#work(service, run);
      this.#progress(service, run, durationMs * (1 - share), () =>
        this.#exit(service, run, audit ? auditCode(service) : 0),
      );
    });
  }

  /** Kills one script with everything it started; `done` says `aborted`. */
  abort(runId: number): void {
    for (const service of this.services.values()) {
      for (const run of service.runs) {
        if (run.effect.run === runId) return this.#abort(service, run, { kind: 'aborted' });
      }
    }
  }

  /** Scripts that an earlier `sm` left behind are found by their marker and killed before anything is audited. */
  killOrphans(done: () => void): void {
    const { world } = this.#node;
    const orphans = [...this.services.values()].filter(({ runs }) => runs.size > 0);
    if (orphans.length === 0 || world.breaks.has('orphan-scripts')) return done();
    for (const service of orphans) {
      for (const run of service.runs) this.#abort(service, run, { kind: 'aborted' });
    }
    this.#later(KILL_DELAY_MS[1], () => this.killOrphans(done));
  }

  /** Kills everything that a service ever started, wherever it went, but scripts that are spared; tells what survived. */
  kill(
    names: readonly string[],
    done: (survivors: string[]) => void,
    spared: (run: ScriptRun) => boolean = () => false,
  ): void {
    this.#later(this.#rng.between(...KILL_DELAY_MS), () => {
      const survivors: string[] = [];
      for (const name of names) {
        const service = this.services.get(name);
        if (service === undefined) continue;
        this.#killNow(service, spared);
        // Who kills by process group sees no daemon that has left it either.
        const seen = !this.#node.world.breaks.has('kill-by-pgid');
        const runs = [...service.runs].filter((run) => !spared(run));
        if ((seen && service.pid > 0) || runs.length > 0) survivors.push(name);
      }
      done(survivors);
    });
  }

  /** The machine stands, or goes on: no service acts meanwhile, and each is as it was afterwards. */
  stand(still: boolean): void {
    for (const service of this.services.values()) {
      service.standing = still;
      this.#node.world.checkers.changed(this.#node, service);
    }
  }

  freeze(names: readonly string[], frozen: boolean): void {
    for (const name of names) {
      const service = this.services.get(name);
      if (service === undefined || service.frozen === frozen) continue;
      service.frozen = frozen;
      this.#node.world.checkers.changed(this.#node, service);
    }
  }

  watch(name: string, on: boolean): void {
    if (on) this.#watched.add(name);
    else this.#watched.delete(name);
  }

  /** The watches of an `sm` end with it. */
  forgetWatches(): void {
    this.#watched.clear();
  }

  /** A daemon dies by itself. Kernel state has no daemon that could. */
  processDies(service: ServiceTruth): void {
    if (service.pid > 0) this.#become(service, service.held ? service.role : 'none', 0, service.held);
  }

  /** The work of a script is done, unless it was killed or the node went down; a frozen service makes no progress. */
  #progress(service: ServiceTruth, run: ScriptRun, delayMs: number, work: () => void): void {
    this.#later(delayMs, () => {
      if (run.ended || run.aborting) return;
      if (service.frozen) this.#progress(service, run, 10, work);
      else work();
    });
  }

  #work(service: ServiceTruth, run: ScriptRun): void {
    const { promotable, kernelState } = service.shape;
    const pid = kernelState ? 0 : service.pid || this.#nextPid++;
    switch (run.effect.action) {
      case 'enable':
        if (service.role === 'active') return;
        return this.#become(service, promotable ? 'standby' : 'active', pid, kernelState, run.effect);
      case 'disable':
        return this.#become(service, 'none', 0, false);
      case 'go-active':
        if (service.role === 'none') return;
        return this.#become(service, 'active', service.pid, service.held, run.effect);
      case 'go-standby':
        if (service.role === 'none') return;
        return this.#become(service, 'standby', service.pid, service.held);
      default:
        return;
    }
  }

  #become(
    service: ServiceTruth,
    role: Role,
    pid: number,
    held: boolean,
    cause: RunEffect | null = null,
  ): void {
    const { world } = this.#node;
    const diedPid = service.pid > 0 && pid === 0 ? service.pid : 0;
    const before = service.role;
    service.role = role;
    service.pid = pid;
    service.held = held;
    if (role !== 'active') service.activation = 0;
    else if (before !== 'active') service.activation = cause?.token?.activation ?? 0;
    if (before !== role) world.note('service', this.#node.name, `${service.name} ${before} -> ${role}`);
    world.checkers.changed(this.#node, service);
    if (diedPid > 0 && this.#watched.has(service.name)) {
      this.#later(this.#rng.between(1, WATCH_DELAY_MS_MAX), () => {
        if (this.#watched.has(service.name)) {
          this.#node.manager.post({ type: 'process.died', service: service.name, pid: diedPid });
        }
      });
    }
  }

  #exit(service: ServiceTruth, run: ScriptRun, code: number): void {
    this.#end(service, run, { kind: 'exit', code });
  }

  #timeout(service: ServiceTruth, run: ScriptRun): void {
    if (!run.ended && !run.aborting) this.#abort(service, run, { kind: 'timeout' });
  }

  #abort(service: ServiceTruth, run: ScriptRun, outcome: RunOutcome): void {
    if (run.ended || run.aborting) return;
    run.aborting = true;
    const startedPid = service.pid;
    this.#later(this.#rng.between(...KILL_DELAY_MS), () => {
      if (run.ended) return;
      // What it started goes with it; a daemon from before stays.
      const own = run.effect.action === 'enable' && service.pid > 0 && service.pid === startedPid;
      if (own) this.#become(service, service.held ? service.role : 'none', 0, service.held);
      this.#end(service, run, outcome);
    });
  }

  #killNow(service: ServiceTruth, spared: (run: ScriptRun) => boolean): void {
    const { world } = this.#node;
    if (world.now < service.unkillableUntil) return;
    for (const run of [...service.runs])
      if (!spared(run)) this.#end(service, run, { kind: 'signal', signal: 'SIGKILL' });
    service.frozen = false;
    // A daemon has left the process group of the script that started it.
    if (world.breaks.has('kill-by-pgid') || service.pid === 0) return;
    this.#become(service, service.held ? service.role : 'none', 0, service.held);
  }

  #end(service: ServiceTruth, run: ScriptRun, outcome: RunOutcome): void {
    const { world } = this.#node;
    if (run.ended) return;
    run.ended = true;
    service.runs.delete(run);
    world.checkers.changed(this.#node, service);
    world.digest(`${this.#node.name} ${service.name} ${run.effect.action} ${outcome.kind}`);
    run.done(outcome, world.now - run.startedAt);
  }

  /**
   * A script that says "stopped" or "standby" is believed: a lie about that is outside of the assumptions, so it fails
   * honestly instead (docs/SAFETY.md, assumptions).
   */
  #scriptFault(service: ServiceTruth, action: ServiceAction): ScriptFault | undefined {
    const fault = service.faults.shift();
    return fault === 'lies' && (action === 'disable' || action === 'go-standby') ? 'fails' : fault;
  }

  #auditFault(service: ServiceTruth): ScriptFault | undefined {
    const fault = service.faults[0];
    if (fault === undefined || fault === 'lies' || !this.#rng.chance(0.3)) return undefined;
    return service.faults.shift();
  }

  #later(delayMs: number, work: () => void): void {
    const boot = this.#boot;
    this.#node.world.after(delayMs, () => {
      if (this.#boot !== boot) return;
      this.#node.awake(() => {
        if (this.#boot === boot) work();
      });
    });
  }
}

/** Exit code of an honest monitor (OCF). */
function auditCode(service: ServiceTruth): number {
  const alive = service.pid > 0 || service.held;
  if (!alive || service.role === 'none') return 7;
  return service.role === 'active' && service.shape.promotable ? 8 : 0;
}
