/**
 * The local engine: drives the services of one node until every group is as it is wanted.
 *
 * It is driven by events alone: an event changes a service or group, whoever shares a dependency with what changed is
 * looked at again, and so on until nothing changes any more. There is no tick between a cause and its effect.
 */

import type { DefinitionSet } from '../definitions/model.ts';
import { assert } from '../kernel/assert.ts';
import { LIMITS } from '../kernel/limits.ts';
import type { GroupDesiredState, ServiceAction, ServiceDesiredState } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';
import { type TimerEvent, Timers } from '../kernel/timers.ts';
import { tokenOf } from './action.ts';
import { type Context, URGENCIES } from './context.ts';
import { linkDependencies } from './dependency.ts';
import { GroupMachine } from './group.ts';
import { HEALTH_PERFECT } from './health.ts';
import { giveUpHold, release } from './hold.ts';
import type { GroupView, LocalEffect, LocalEvent, ServiceView, Wait } from './interface.ts';
import { GroupRecord, SERVICE_TIMERS, ServiceRecord, type ServiceTimer } from './record.ts';
import { ResultRules } from './result.ts';
import { ServiceMachine } from './service.ts';
import { serviceView } from './tell.ts';
import { Throttle } from './throttle.ts';

/** What the store tells at a start. Rows of groups and services that are not in the definition set are ignored. */
export interface LocalRestored {
  readonly groups: readonly { readonly group: string; readonly desired: GroupDesiredState }[];
  readonly services: readonly { readonly service: string; readonly managed: boolean }[];
  /** Actions without a known end. Every service is audited first anyway; these end when its audit has spoken. */
  readonly intents: readonly {
    readonly run: number;
    readonly service: string;
    readonly action: ServiceAction;
  }[];
}

export interface LocalOptions {
  readonly definitions: DefinitionSet;
  readonly restored: LocalRestored;
  /** Scripts that may run at once; stopping without permission goes beyond it. */
  readonly maxRunning: number;
  /** Groups that wait for their hooks, and for how long at most, ms. */
  readonly barriers?: ReadonlyMap<string, number>;
}

type Want = Extract<LocalEvent, { type: 'group.want' }>;

/** True for keys of timers that belong to this engine. */
export function isLocalTimer(key: string): boolean {
  return key.startsWith('service/') || key.startsWith('group/');
}

export class LocalEngine {
  readonly #context: Context;
  readonly #machine: ServiceMachine;
  readonly #groupMachine: GroupMachine;
  readonly #groups = new Map<string, GroupRecord>();
  readonly #services = new Map<string, ServiceRecord>();
  readonly #serviceTimers = new Map<string, { service: ServiceRecord; kind: ServiceTimer }>();
  readonly #groupTimers = new Map<string, GroupRecord>();
  readonly #emit: (effect: LocalEffect) => void;
  #queue: ServiceRecord[] = [];
  #groupQueue: GroupRecord[] = [];

  get [STATE]() {
    return {
      context: this.#context,
      machine: this.#machine,
      groups: this.#groups,
      services: this.#services,
    };
  }

  constructor(options: LocalOptions, emit: (effect: LocalEffect) => void) {
    const { definitions, restored } = options;
    this.#emit = emit;
    this.#context = {
      now: 0,
      stops: 0,
      emit,
      timers: new Timers(emit),
      rules: new ResultRules(definitions.results),
      places: new Throttle(options.maxRunning, URGENCIES.length),
      tickets: new Throttle(definitions.enablingThrottle),
      wake: (service) => this.#wake(service),
      wakeGroup: (group) => this.#wakeGroup(group),
    };
    const lastRun = restored.intents.reduce((last, intent) => Math.max(last, intent.run), 0);
    this.#machine = new ServiceMachine(this.#context, lastRun);
    this.#groupMachine = new GroupMachine(this.#context, definitions.nodes.length);
    this.#build(definitions, restored);
    for (const [name, limitMs] of options.barriers ?? []) {
      const group = this.#groups.get(name);
      if (group !== undefined) group.barrierMs = limitMs;
    }
  }

  /** Begins: every service is audited. Groups that need no permission are driven to where they were wanted last. */
  start(now: number): void {
    this.#context.now = now;
    for (const group of this.#groups.values()) {
      group.since = now;
      if (!group.definition.exclusive && group.desired !== 'initial') this.#resume(group);
      this.#wakeGroup(group);
    }
    for (const service of this.#services.values()) this.#wake(service);
    this.#settle();
  }

  /** Takes one event in and cascades until nothing changes. Unknown names and runs are dropped. */
  step(event: LocalEvent, now: number): void {
    assert(now >= this.#context.now, () => `time went back from ${this.#context.now} to ${now}`);
    this.#context.now = now;
    this.#take(event);
    this.#settle();
  }

  group(name: string): GroupView {
    const group = this.#groups.get(name);
    assert(group !== undefined, () => `no group ${name}`);
    return this.#groupMachine.view(group);
  }

  groups(): GroupView[] {
    return [...this.#groups.values()].map((group) => this.#groupMachine.view(group));
  }

  service(name: string): ServiceView {
    const service = this.#services.get(name);
    assert(service !== undefined, () => `no service ${name}`);
    return serviceView(service);
  }

  /** Known not to be active: its stop script succeeded or an audit said so. State `disabled` alone is no proof. */
  isInactive(name: string): boolean {
    return this.#services.get(name)?.maybeActive === false;
  }

  /** How often something was found not to be active any more. */
  get stops(): number {
    return this.#context.stops;
  }

  services(): ServiceView[] {
    return [...this.#services.values()].map((service) => serviceView(service));
  }

  /** Everything that something is waited for, groups first. */
  waits(): Wait[] {
    const waits: Wait[] = [];
    for (const group of this.#groups.values()) {
      const wait = this.#groupMachine.wait(group);
      if (wait !== null) waits.push(wait);
    }
    for (const service of this.#services.values()) {
      if (service.wait !== null) waits.push(service.wait);
    }
    return waits;
  }

  /** Ends of scripts that nobody waited for. */
  get unknownRuns(): number {
    return this.#machine.actions.unknownRuns;
  }

  /** Places and tickets in use, for views and invariants. */
  get load(): { readonly running: number; readonly tickets: number; readonly ticketsMax: number } {
    const { places, tickets } = this.#context;
    return { running: places.held, tickets: tickets.held, ticketsMax: tickets.size };
  }

  #build(definitions: DefinitionSet, restored: LocalRestored): void {
    const desired = new Map(restored.groups.map((row) => [row.group, row.desired]));
    for (const definition of definitions.groups.values()) {
      const group = new GroupRecord(definition, desired.get(definition.name) ?? 'initial', HEALTH_PERFECT);
      group.savedText = `${group.desired} initial  `;
      this.#groups.set(group.name, group);
      this.#groupTimers.set(group.timerKey, group);
      this.#groupTimers.set(group.holdKey, group);
      for (const member of definition.members) {
        const service = definitions.services.get(member.service);
        if (service === undefined) continue;
        assert(!this.#services.has(service.name), () => `${service.name} is a member of two groups`);
        const record = new ServiceRecord(service, group, member.failureImpact);
        this.#services.set(service.name, record);
        group.members.push(record);
        group.maybeActive += 1;
        for (const kind of SERVICE_TIMERS) {
          this.#serviceTimers.set(record.timerKeys.get(kind) ?? '', { service: record, kind });
        }
      }
    }
    linkDependencies(definitions.dependencies, this.#services);
    for (const row of restored.services) {
      const service = this.#services.get(row.service);
      if (service !== undefined) service.managed = row.managed;
    }
    for (const { service, run, action } of restored.intents) {
      const record = this.#services.get(service);
      if (record !== undefined) record.intents = [...record.intents, { run, action }];
    }
  }

  #take(event: LocalEvent): void {
    switch (event.type) {
      case 'group.want':
        this.#want(event);
        break;
      case 'group.revoke':
        this.#revoke(event);
        break;
      case 'group.recover':
        this.#recover(event);
        break;
      case 'group.notified':
        this.#notified(event);
        break;
      case 'run.done':
        this.#machine.actions.finish(event);
        break;
      case 'timer':
        this.#timer(event);
        break;
      default:
        this.#takeForService(event);
    }
  }

  #takeForService(event: Extract<LocalEvent, { readonly service: string }>): void {
    const service = this.#services.get(event.service);
    if (service === undefined) return;
    switch (event.type) {
      case 'process.died':
        this.#machine.processDied(service, event.pid);
        break;
      case 'service.restart':
        this.#machine.restart(service, event.safe, event.reason, event.actor ?? 'engine');
        break;
      case 'service.manage':
        this.#machine.setManaged(service, event.managed, event.reason, event.until ?? 0);
        break;
      case 'service.recover':
        this.#machine.recover(service, true);
        break;
      case 'service.heartbeat':
        this.#machine.heartbeat(service, event.level, event.missed);
        break;
      case 'service.audit':
        this.#machine.requestAudit(service);
        break;
    }
  }

  #recover({
    group: name,
    clearFatal,
    forgive: forgives,
  }: Extract<LocalEvent, { type: 'group.recover' }>): void {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    for (const member of group.members) {
      this.#machine.recover(member, clearFatal);
      if (forgives) forgive(group, member);
    }
    this.#wakeGroup(group);
  }

  #want(event: Want): void {
    const group = this.#groups.get(event.group);
    if (group === undefined) return;
    const activating = event.desired === 'active' && group.definition.exclusive;
    if (activating) {
      assert(event.token.group === group.name, () => `${group.name}: token of group ${event.token.group}`);
    }
    const before = tokenOf(group, this.#context.now);
    const renewal = activating && group.wanted && group.desired === 'active';
    group.token = activating ? event.token : null;
    if (activating && group.activation !== event.token.activation) {
      group.activation = event.token.activation;
      this.#wakeGroup(group);
    }
    if (renewal) {
      // Renewals come often; only one that ends a lack of permission wakes anybody.
      if (before === null) for (const member of group.members) this.#wake(member);
      return;
    }
    this.#setDesired(group, event.desired, event.reason, event.actor ?? 'engine');
  }

  #setDesired(
    group: GroupRecord,
    desired: 'active' | 'standby' | 'disabled',
    reason: string,
    actor: string,
  ): void {
    if (group.wanted && group.desired === desired) return;
    group.wanted = true;
    group.desired = desired;
    group.desiredReason = `${group.name} wanted ${desired}: ${reason}`;
    group.actor = actor;
    this.#order(group);
  }

  #resume(group: GroupRecord): void {
    group.wanted = true;
    group.desiredReason = `${group.name} was wanted ${group.desired} before the start`;
    this.#order(group);
  }

  #order(group: GroupRecord): void {
    const service = SERVICE_DESIRED[group.desired];
    for (const member of group.members) {
      this.#machine.setDesired(member, service, group.desiredReason, group.actor);
      this.#wake(member);
    }
    if (group.desired === 'active') this.#groupMachine.apply(group, 'go-active');
    else if (group.desired === 'standby') this.#groupMachine.apply(group, 'go-standby');
    else this.#groupMachine.apply(group, 'disable');
  }

  #revoke(event: Extract<LocalEvent, { type: 'group.revoke' }>): void {
    const group = this.#groups.get(event.group);
    if (group === undefined) return;
    group.token = null;
    this.#setDesired(group, 'disabled', `permission revoked: ${event.reason}`, event.actor ?? 'engine');
    // Whoever lost the right to act waits for nobody.
    release(this.#context, group);
    for (const member of group.members) this.#machine.apply(member, 'revoke', event.reason);
    this.#wakeGroup(group);
  }

  /** A word about an earlier change is late, and ends no wait for a newer one. */
  #notified(event: Extract<LocalEvent, { type: 'group.notified' }>): void {
    const group = this.#groups.get(event.group);
    if (group?.hold?.state === event.state) release(this.#context, group);
  }

  #timer(event: TimerEvent): void {
    if (!this.#context.timers.take(event)) return;
    const timer = this.#serviceTimers.get(event.key);
    if (timer !== undefined) this.#machine.timer(timer.service, timer.kind);
    const group = this.#groupTimers.get(event.key);
    if (group === undefined) return;
    if (event.key === group.holdKey) giveUpHold(this.#context, group);
    this.#wakeGroup(group);
  }

  #wake(service: ServiceRecord): void {
    if (service.queued) return;
    service.queued = true;
    this.#queue.push(service);
  }

  #wakeGroup(group: GroupRecord): void {
    if (group.queued) return;
    group.queued = true;
    this.#groupQueue.push(group);
  }

  /** Looks at everything that was woken until nothing is, then at the groups, then writes down what changed. */
  #settle(): void {
    const touched = this.#drain();
    for (const group of this.#groupQueue) {
      this.#groupMachine.refresh(group);
      group.queued = false;
    }
    this.#groupQueue = [];
    for (const service of touched) this.#save(service);
  }

  #drain(): ServiceRecord[] {
    let steps = 0;
    for (;;) {
      const service = this.#queue[steps] ?? this.#nextWaiting();
      if (service === null) break;
      steps += 1;
      assert(
        steps <= LIMITS.cascadeStepsMax,
        () => `one event caused more than ${LIMITS.cascadeStepsMax} steps`,
      );
      service.queued = false;
      this.#machine.drive(service);
    }
    const touched = this.#queue;
    this.#queue = [];
    return touched;
  }

  /** Whoever stands first in the queue for a free place or ticket. */
  #nextWaiting(): ServiceRecord | null {
    const service = this.#context.places.next() ?? this.#context.tickets.next();
    if (service !== null) this.#queue.push(service);
    return service;
  }

  #save(service: ServiceRecord): void {
    if (!service.unsaved) return;
    service.unsaved = false;
    const { name, desired, state, status, condition } = service;
    this.#emit({ type: 'persist.service', service: name, desired, state, status, condition });
  }
}

/** Nothing of the past is held against the service any more; a failure that lasts is held anew. */
function forgive(group: GroupRecord, service: ServiceRecord): void {
  group.held[group.members.indexOf(service)] = undefined;
  group.failures = 0;
}

const SERVICE_DESIRED: Readonly<Record<GroupDesiredState, ServiceDesiredState>> = {
  initial: 'initial',
  active: 'enabled-active',
  standby: 'enabled-standby',
  disabled: 'disabled',
};
