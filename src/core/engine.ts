/**
 * The engine of `sm`: routes events to the local engine and to the cluster, and lets both settle before it returns.
 * Pure: the same facts and the same events give the same effects, on a controller and in the simulator.
 */

import { Alarms } from './cluster/alarms.ts';
import { Cluster } from './cluster/cluster.ts';
import type { DefinitionSet } from './definitions/model.ts';
import type {
  EngineEffect,
  EngineEvent,
  EngineOptions,
  GuardFact,
  OperatorCommand,
} from './engine-interface.ts';
import { LIMITS } from './kernel/limits.ts';
import { STATE } from './kernel/state.ts';
import { type TimerEvent, Timers } from './kernel/timers.ts';
import type { GroupView, LocalEffect, LocalEvent } from './service/interface.ts';
import { isLocalTimer, LocalEngine } from './service/local.ts';
import type { EngineView, LeftAlone } from './view.ts';

const MANAGE_TIMER = 'manage/';

type ServiceOrder = Extract<LocalEvent, { type: 'service.restart' | 'service.manage' | 'service.audit' }>;
type ServiceCommand = Extract<OperatorCommand, { service: string }>;
type CommandEvent = Extract<EngineEvent, { type: 'command' }>;

export class Engine {
  readonly #definitions: DefinitionSet;
  readonly #node: string;
  readonly #emit: (effect: EngineEffect) => void;
  readonly #local: LocalEngine;
  readonly #cluster: Cluster;
  readonly #timers: Timers;
  readonly #options: EngineOptions;
  /** Wall-clock ms minus monotonic ms, as of the start. */
  #wallOffsetMs = 0;
  /** Views of the groups as the cluster saw them last; an unchanged group keeps its view. */
  #seen: readonly GroupView[] = [];
  readonly #hookAlarms: Alarms;
  /** What went wrong with the hooks at the last change of a group. */
  readonly #hookProblems = new Map<string, string>();
  readonly #alone = new Map<string, LeftAlone>();
  /** Services of exclusive groups that sm-watchdog has, or may have, on its kill list. */
  readonly #listed = new Set<string>();
  /** Of the local engine; as long as there are no more, nothing leaves the list. */
  #stopsSeen = 0;
  /** Something happened to services since the pair was looked at. */
  #isLookDue = false;

  get [STATE]() {
    return {
      local: this.#local,
      cluster: this.#cluster,
      timers: this.#timers,
      hookAlarms: this.#hookAlarms,
      hookProblems: this.#hookProblems,
      alone: this.#alone,
      listed: this.#listed,
      wallOffsetMs: this.#wallOffsetMs,
      seen: this.#seen,
      stopsSeen: this.#stopsSeen,
      isLookDue: this.#isLookDue,
    };
  }

  set [STATE](state) {
    this.#wallOffsetMs = state.wallOffsetMs;
    this.#seen = state.seen;
    this.#stopsSeen = state.stopsSeen;
    this.#isLookDue = state.isLookDue;
  }

  constructor(options: EngineOptions, emit: (effect: EngineEffect) => void) {
    this.#options = options;
    this.#definitions = options.definitions;
    this.#node = options.node;
    this.#emit = emit;
    const local = {
      definitions: options.definitions,
      restored: options.restored,
      maxRunning: LIMITS.actionsRunningMax,
      ...(options.barriers === undefined ? {} : { barriers: options.barriers }),
    };
    this.#local = new LocalEngine(local, (effect) => this.#onLocalEffect(effect));
    this.#cluster = new Cluster(options, this.#local, (effect) => this.#onClusterEffect(effect));
    this.#timers = new Timers(emit);
    this.#hookAlarms = new Alarms(emit);
  }

  start(now: number): void {
    const { restored, startedWallMs } = this.#options;
    this.#wallOffsetMs = startedWallMs - now;
    const boot = restored.kernelLife !== this.#options.kernelLife;
    const reason = boot
      ? 'the kernel was started anew: nothing of what ran before is left'
      : 'the kernel has run on: services are taken up where their audits find them';
    this.#tellDaemon('not running', 'running', boot ? 'boot' : 'start', reason);
    for (const { group, held } of restored.numbers) {
      const members = held > 0 ? (this.#definitions.groups.get(group)?.members ?? []) : [];
      for (const { service } of members) this.#listed.add(service);
    }
    this.#local.start(now);
    this.#cluster.start(now);
    for (const {
      service,
      managed,
      managedUntil: until = 0,
      managedReason: reason = '',
    } of restored.services) {
      if (managed || !this.#definitions.services.has(service)) continue;
      this.#alone.set(service, { service, reason, until });
      if (until > 0) this.#armManage(service, until);
    }
  }

  /**
   * `more`: another event of the same turn follows at once. What scripts and processes tell is then taken in one after the
   * other, and the pair looked at when all of it is known; a fact of the guard, or an order, never waits for that.
   */
  step(event: EngineEvent, now: number, more = false): void {
    this.#route(event, now);
    if (more) return;
    if (this.#isLookDue) this.#look(now);
    this.#tellVerified();
  }

  #route(event: EngineEvent, now: number): void {
    switch (event.type) {
      case 'guard.hello':
      case 'guard.link':
      case 'guard.peer':
      case 'guard.silence-broken':
      case 'guard.report':
      case 'guard.peer-links':
      case 'guard.announcement':
      case 'guard.permission':
      case 'guard.lost':
      case 'guard.duplicate':
      case 'guard.limit':
      case 'guard.granted':
      case 'guard.withdrawn':
      case 'guard.record':
      case 'guard.arbiter':
      case 'guard.readiness':
      case 'guard.gateway':
      case 'guard.fenced':
      case 'guard.refused':
        return this.#cluster.onFact(event, now);
      case 'timer':
        return this.#onTimer(event, now);
      case 'group.notified':
        return this.#onNotified(event, now);
      case 'command':
        return this.#onCommand(event, now);
      case 'store.failed':
        return this.#cluster.onStore(event.reason, now);
      case 'store.ok':
        return this.#cluster.onStore('', now);
      case 'node.ready':
        return this.#cluster.onReady(event.ready, event.reason, now);
      case 'shutdown':
        return this.#cluster.onShutdown(event.actor, event.reason, now);
      case 'restart':
        return this.#restart(event.actor, event.reason);
      default:
        return this.#stepLocal(event, now);
    }
  }

  /**
   * True where this fact would change nothing but the date up to which tokens are made. It may then be told with the next
   * event, right before that one, and only the newest of several: `unbroken` says that none of them came too late.
   */
  isMereRenewal(fact: GuardFact, now: number): boolean {
    return this.#cluster.isMereRenewal(fact, now);
  }

  view(now: number): EngineView {
    const cluster = this.#cluster;
    return {
      now,
      node: this.#node,
      definitionDigest: this.#definitions.digest,
      domain: cluster.domainView(),
      permission: cluster.permissionView(now),
      peer: cluster.peerView(),
      links: cluster.links(),
      arbiter: cluster.arbiterView(),
      nodes: cluster.nodes(),
      assignments: cluster.assignments(),
      numbers: cluster.numbers().all(),
      groups: this.#local.groups(),
      services: this.#local.services(),
      placements: cluster
        .placements()
        .map(({ group, node, want, reasons }) => ({ group, node, wanted: want, reasons })),
      operations: cluster.operations(),
      alone: [...this.#alone.values()],
      waits: [...cluster.waits(), ...this.#local.waits()],
      alarms: [...cluster.alarms(), ...this.#hookAlarms.all()],
    };
  }

  #onTimer(event: TimerEvent, now: number): void {
    if (isLocalTimer(event.key)) return this.#stepLocal(event, now);
    if (!event.key.startsWith(MANAGE_TIMER)) return this.#cluster.onTimer(event, now);
    if (this.#timers.take(event)) this.#manageAgain(event.key, now);
  }

  #onNotified(event: Extract<LocalEvent, { type: 'group.notified' }>, now: number): void {
    const { group, problem } = event;
    this.#stepLocal(event, now);
    if (!this.#definitions.groups.has(group)) return;
    if (problem === '') this.#hookProblems.delete(group);
    else {
      this.#hookProblems.set(group, problem);
      const told = { type: 'history', entity: 'group', name: group, from: '', to: '' } as const;
      this.#emit({ ...told, cause: 'notification-failed', actor: 'engine', reason: problem });
    }
    this.#hookAlarms.settle([...this.#hookProblems].map(hookAlarm), now);
  }

  #stepLocal(event: LocalEvent, now: number): void {
    this.#local.step(event, now);
    this.#isLookDue = true;
  }

  /** Most local events are audits that find what they expect: they change no group, and so nothing for the pair. */
  #look(now: number): void {
    this.#isLookDue = false;
    if (this.#groupsChanged()) this.#cluster.evaluate(now);
  }

  #groupsChanged(): boolean {
    const groups = this.#local.groups();
    const changed = groups.some((view, index) => view !== this.#seen[index]);
    if (changed) this.#seen = groups;
    return changed;
  }

  #onLocalEffect(effect: LocalEffect): void {
    if (effect.type === 'run' && effect.token !== null && effect.exclusive) this.#listed.add(effect.service);
    this.#emit(effect);
  }

  #onClusterEffect(effect: EngineEffect): void {
    if (effect.type === 'exit') this.#tellDaemon('leaving', 'not running', 'exit', effect.reason);
    this.#emit(effect);
  }

  /** Where the life of `sm` begins and ends: without both, a silence of the history would have no meaning. */
  #tellDaemon(from: string, to: string, cause: string, reason: string): void {
    this.#emit({ type: 'history', entity: 'daemon', name: 'sm', from, to, cause, actor: 'engine', reason });
  }

  #restart(actor: string, reason: string): void {
    const daemon = { entity: 'daemon', name: 'sm', from: 'running', to: 'restarting' } as const;
    this.#emit({ type: 'history', ...daemon, cause: 'restart', actor, reason });
    this.#emit({ type: 'restart', reason });
  }

  /** Off the kill list goes only what is proven not to be active, not what merely has such a state. */
  #tellVerified(): void {
    const { stops } = this.#local;
    if (stops === this.#stopsSeen) return;
    this.#stopsSeen = stops;
    for (const service of this.#listed) {
      if (!this.#local.isInactive(service)) continue;
      this.#listed.delete(service);
      this.#emit({ type: 'guard.verified', service });
    }
  }

  #manageAgain(key: string, now: number): void {
    const service = key.slice(MANAGE_TIMER.length);
    const reason = 'the time for which it was left alone is over';
    this.#tellManaged(service, true, true, 'engine', reason);
    this.#alone.delete(service);
    this.#stepLocal({ type: 'service.manage', service, managed: true, reason }, now);
  }

  /** Leaving a service alone changes no state of it, and has to be found in the history all the same. */
  #tellManaged(name: string, alone: boolean, managed: boolean, actor: string, reason: string): void {
    const from = alone ? 'unmanaged' : 'managed';
    const to = managed ? 'managed' : 'unmanaged';
    const cause = managed ? 'manage' : 'unmanage';
    if (from !== to) this.#emit({ type: 'history', entity: 'service', name, from, to, cause, actor, reason });
  }

  #armManage(service: string, until: number): void {
    if (until === 0) this.#timers.clear(`${MANAGE_TIMER}${service}`);
    else this.#timers.set(`${MANAGE_TIMER}${service}`, until - this.#wallOffsetMs);
  }

  #onCommand({ request, actor, wallMs, command }: CommandEvent, now: number): void {
    if ('node' in command) {
      const { ok, message, operation } = this.#cluster.onCommand(command, actor, wallMs, now);
      this.#emit({ type: 'reply', request, ok, code: ok ? '' : 'SM_ERR_REFUSED', message, operation });
      return;
    }
    const known = this.#definitions.services.has(command.service);
    if (!known) {
      const message = `no provisioned service ${command.service}; smctl status shows their names`;
      this.#emit({
        type: 'reply',
        request,
        ok: false,
        code: 'SM_ERR_NO_SUCH_SERVICE',
        message,
        operation: '',
      });
      return;
    }
    const until = command.kind === 'unmanage' && command.forMs > 0 ? wallMs + command.forMs : 0;
    const event = serviceEvent(command, actor, until);
    if (command.kind === 'manage' || command.kind === 'unmanage') {
      const managed = !this.#local.service(command.service).managed;
      this.#tellManaged(command.service, managed, command.kind === 'manage', actor, command.why);
      this.#armManage(command.service, until);
      const reason = reasonOf(command, actor);
      if (command.kind === 'manage') this.#alone.delete(command.service);
      else this.#alone.set(command.service, { service: command.service, reason, until });
    }
    this.#stepLocal(event, now);
    this.#emit({
      type: 'reply',
      request,
      ok: true,
      code: '',
      message: `${command.kind} of ${command.service} accepted`,
      operation: '',
    });
  }
}

function hookAlarm([group, reason]: [string, string]) {
  return {
    id: 'notification-failed',
    entity: `service_group=${group}`,
    severity: 'minor',
    reason,
    repair: 'mend or remove the hook; the alarm ends with the next change of the group that goes well',
    patienceMs: 0,
  } as const;
}

function reasonOf({ kind, why }: ServiceCommand, actor: string): string {
  return why === '' ? `${kind} by ${actor}` : `${kind} by ${actor}: ${why}`;
}

function serviceEvent(command: ServiceCommand, actor: string, until: number): ServiceOrder {
  const { kind, service } = command;
  const reason = reasonOf(command, actor);
  switch (kind) {
    case 'restart':
    case 'restart-safe':
      return { type: 'service.restart', service, safe: kind === 'restart-safe', reason, actor };
    case 'manage':
    case 'unmanage':
      return { type: 'service.manage', service, managed: kind === 'manage', reason, until, actor };
    case 'audit':
      return { type: 'service.audit', service };
  }
}
