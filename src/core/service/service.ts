/**
 * The service machine at work: SERVICE_TABLE says what to do at which event, this does it. Scripts are started in one
 * place only (`drive`), after everything that an event changed is settled.
 */
import { hash } from '../kernel/hash.ts';
import { lookup } from '../kernel/machine.ts';
import type { ServiceDesiredState, ServiceState, Status } from '../kernel/names.ts';
import { Actions, setMaybeActive } from './action.ts';
import { backOffMs, type Context, wakeAround } from './context.ts';
import { forcedDownBy } from './dependency.ts';
import {
  clearTransition,
  countDisturbance,
  countTransition,
  fail,
  forgetFailures,
  isGivenUp,
  setSource,
} from './failure.ts';
import {
  auditOf,
  auditPeriod,
  goalOf,
  isParked,
  needsProof,
  requestReason,
  standingAudit,
  wantedDown,
} from './goal.ts';
import type { HeartbeatLevel } from './heartbeat.ts';
import type { ServiceRecord, ServiceTimer, Stop } from './record.ts';
import {
  DRIVE_TABLE,
  type Goal,
  SERVICE_TABLE,
  type ServiceEvent,
  type ServiceWork,
} from './service-table.ts';
import { changed } from './tell.ts';
import { clearWait, setWait } from './wait.ts';

/** A transition that takes longer counts as failed. */
export const TRANSITION_LIMIT_MS = 300_000;

const TRANSITIONS: readonly ServiceState[] = [
  'enabling',
  'disabling',
  'enabled-go-active',
  'enabled-go-standby',
];

const BEAT_STATUS: Partial<Record<ServiceEvent, Status>> = {
  'heartbeat-warn': 'warn',
  'heartbeat-degrade': 'degraded',
};

const STANDING: readonly ServiceState[] = ['disabled', 'enabled-standby', 'enabled-active'];

type Handler = (service: ServiceRecord, event: ServiceEvent, reason: string) => void;

export class ServiceMachine {
  readonly actions: Actions;
  readonly #context: Context;
  readonly #works: { readonly [W in ServiceWork]: Handler };

  constructor(context: Context, lastRun: number) {
    this.#context = context;
    this.actions = new Actions(context, lastRun, (service, event, reason) =>
      this.apply(service, event, reason),
    );
    this.#works = this.#makeWorks();
  }

  /** Does what the table says about this event. */
  apply(service: ServiceRecord, event: ServiceEvent, reason: string): void {
    const work = lookup(`service ${service.name}`, SERVICE_TABLE, service.state, event);
    if (work !== null) this.#works[work](service, event, reason);
    changed(this.#context, service);
  }

  /** Looks where the service is and where it shall be, and does the next thing about it. */
  drive(service: ServiceRecord): void {
    service.waitRenewed = false;
    this.#endHolding(service);
    const goal = goalOf(service);
    const event = this.#request(service, goal);
    if (event !== null) this.apply(service, event, requestReason(service, event, goal));
    else if (STANDING.includes(service.state)) {
      // At rest: whatever happens next has a cause and an actor of its own.
      service.actor = 'engine';
      service.because = '';
    }
    if (!service.waitRenewed) clearWait(this.#context, service);
    if (goal === 'disabled') this.#settle(service);
    changed(this.#context, service);
  }

  setDesired(service: ServiceRecord, desired: ServiceDesiredState, reason: string, actor: string): void {
    service.desiredReason = reason;
    service.actor = actor;
    if (service.desired === desired) return;
    service.desired = desired;
    wakeAround(this.#context, service);
    changed(this.#context, service);
  }

  restart(service: ServiceRecord, safe: boolean, reason: string, actor: string): void {
    const { state } = service;
    const standing = state === 'enabled-active' || state === 'enabled-standby';
    if (!standing && state !== 'enabling' && state !== 'enabled-go-active') return;
    service.restart = safe ? 'safe' : 'plain';
    service.restartReason = reason;
    service.actor = actor;
    wakeAround(this.#context, service);
  }

  setManaged(service: ServiceRecord, managed: boolean, reason: string, until: number): void {
    if (service.managed === managed && managed) return;
    service.managed = managed;
    service.view = null;
    this.#context.emit({ type: 'persist.managed', service: service.name, managed, reason, until });
    if (managed) this.apply(service, 'manage', reason);
    this.#context.wake(service);
  }

  /** Forgets failures, so that a parked service is tried again. A fatal one only where `clearFatal`. */
  recover(service: ServiceRecord, clearFatal: boolean): void {
    if (service.fatal && !clearFatal) return;
    forgetFailures(service);
    service.failCount = 0;
    clearTransition(service);
    if (TRANSITIONS.includes(service.state)) this.#limit(service);
    wakeAround(this.#context, service);
    changed(this.#context, service, 'recover');
  }

  /** An audit now, where one is periodic; on the way between two such states the scripts tell. */
  requestAudit(service: ServiceRecord): void {
    if (standingAudit(service) === null || !STANDING.includes(service.state)) return;
    service.auditDue = true;
    this.#context.wake(service);
  }

  heartbeat(service: ServiceRecord, level: HeartbeatLevel, missed: number): void {
    if (!service.managed || !service.listening) return;
    const text = level === 'okay' ? 'heartbeat okay' : `no answer to ${missed} heartbeats in a row`;
    service.reason = text;
    this.apply(service, `heartbeat-${level}`, text);
    this.#context.wake(service);
  }

  /** A watched process is gone. */
  processDied(service: ServiceRecord, pid: number): void {
    if (!service.managed) {
      service.reason = `process ${pid} died while the service is not managed`;
      service.view = null;
      return;
    }
    this.apply(service, 'process-failure', `process ${pid} died`);
  }

  timer(service: ServiceRecord, kind: ServiceTimer): void {
    switch (kind) {
      case 'limit':
        this.apply(service, 'transition-limit', this.#limitReason(service));
        break;
      case 'retry':
        break;
      case 'audit':
        this.#setTimer(service, 'audit', this.#context.now + auditPeriod(service));
        service.auditDue = true;
        break;
      case 'countdown':
        this.#countDown(service);
        break;
      case 'wait':
        service.waiting = 'warn';
        service.reason = service.wait?.reason ?? service.reason;
        changed(this.#context, service, 'late');
        break;
    }
    this.#context.wake(service);
  }

  // ---------------------------------------------------------------------------------------------------------------
  // What is asked of a service
  // ---------------------------------------------------------------------------------------------------------------

  #request(service: ServiceRecord, goal: Goal): ServiceEvent | null {
    const { state } = service;
    if (
      state === 'disabling' &&
      (service.stop?.first !== 'nothing' || service.run !== null || service.fatal)
    ) {
      return 'disable';
    }
    if (state === 'disabled' && goal === 'disabled' && needsProof(service)) return 'disable';
    if (goal === 'disabled' && this.#isHeldDown(service)) return null;
    const event = DRIVE_TABLE[state][goal];
    if (event === null && service.auditDue) return standingAudit(service) === null ? null : 'audit';
    return event;
  }

  /** Down, and kept there, with a wait, as long as another service stops or restarts. */
  #isHeldDown(service: ServiceRecord): boolean {
    const { state, desired } = service;
    if (state !== 'disabled' && !(state === 'enabling-throttle' && !service.maybeActive)) return false;
    if (desired === 'disabled' || service.restart !== null || service.revoked) return false;
    const forced = forcedDownBy(service);
    if (forced === null) return false;
    const reason = `waits for ${forced}, which stops or restarts`;
    setWait(this.#context, service, 'dependency', reason, null);
    return true;
  }

  /** A service that is down as it should be has no failures; one that is parked says so. */
  #settle(service: ServiceRecord): void {
    if (service.state !== 'disabled' || service.restart !== null) return;
    if (wantedDown(service)) {
      forgetFailures(service);
      service.failCount = 0;
      clearTransition(service);
      setSource(service.script, '');
      changed(this.#context, service, 'settled');
    } else if (isParked(service) && service.transition.status !== 'failed') {
      const reason = `failed ${service.failCount} times, not enabled again: ${service.disturbance}`;
      fail(this.#context, service, 'recovery-failure', reason);
      changed(this.#context, service, 'recovery-failure');
    }
  }

  /** A restart is over, and its dependents may come back, when the service is back, given up, or not wanted. */
  #endHolding(service: ServiceRecord): void {
    if (!service.holding || service.restart !== null || service.state === 'disabling') return;
    const back = service.desired === 'enabled-active' ? 'enabled-active' : 'enabled-standby';
    if (!wantedDown(service) && service.state !== back && service.status !== 'failed') return;
    service.holding = false;
    wakeAround(this.#context, service);
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Works
  // ---------------------------------------------------------------------------------------------------------------

  #makeWorks(): { readonly [W in ServiceWork]: Handler } {
    return {
      examine: (s, event, reason) => this.#enter(s, 'unknown', event, reason),
      'audit-unknown': (s, event) => this.#auditUnknown(s, event),
      'audit-standing': (s) => this.#auditStanding(s),
      adopt: (s, event, reason) => this.#adopt(s, event, reason),
      'count-unknown': (s, _event, reason) => countTransition(this.#context, s, reason),
      queue: (s, event, reason) => this.#enter(s, 'enabling-throttle', event, reason),
      'try-enable': (s, event) => this.#tryEnable(s, event),
      'run-enable': (s) => this.actions.attempt(s, 'enable'),
      enabled: (s, event, reason) => this.#enabled(s, event, reason),
      'enable-failed': (s, event, reason) => this.#failedStart(s, event, reason),
      promote: (s, event, reason) => this.#enter(s, 'enabled-go-active', event, reason),
      'run-go-active': (s) => this.actions.attempt(s, 'go-active'),
      promoted: (s, event, reason) => this.#arrive(s, 'enabled-active', event, reason),
      'promote-failed': (s, event, reason) => this.#failedStart(s, event, reason),
      demote: (s, event, reason) => this.#demote(s, event, reason),
      'run-go-standby': (s) => this.#runGoStandby(s),
      demoted: (s, event, reason) => this.#arrive(s, 'enabled-standby', event, reason),
      'demote-failed': (s, _event, reason) => this.#demoteFailed(s, reason),
      stop: (s, event, reason) => this.#stop(s, event, reason),
      'run-disable': (s) => this.#runDisable(s),
      disabled: (s, event, reason) => this.#disabled(s, event, reason),
      'disable-failed': (s, _event, reason) => this.#disableFailed(s, reason),
      'enable-again': (s, event, reason) => this.#enter(s, 'enabling-throttle', event, reason),
      alive: (s) => this.#alive(s),
      changed: (s, event, reason) => this.#changedByAudit(s, event, reason),
      found: (s, event, reason) => this.#enter(s, s.found, event, reason),
      beat: (s, event) => setSource(s.heartbeat, BEAT_STATUS[event] ?? ''),
      'audit-broken': (s, event, reason) => this.#auditBroken(s, event, reason),
      dead: (s, event, reason) => this.#dead(s, event, reason),
      remember: (s, _event, reason) => {
        s.death = reason;
      },
      late: (s, _event, reason) => fail(this.#context, s, 'action-failure', reason),
      revoke: (s, event, reason) => this.#revoke(s, event, reason),
      fatal: (s, event, reason) => this.#enter(s, 'shutdown', event, `${reason}: fatal, shutting down`),
    };
  }

  #enter(service: ServiceRecord, state: ServiceState, cause: string, reason: string): void {
    const from = service.state;
    if (from === state) return;
    if (from === 'unknown') this.#endIntents(service);
    this.actions.abort(service, `${service.name} leaves ${from}: ${reason}`);
    for (const kind of ['limit', 'audit', 'countdown', 'retry'] as const) this.#clearTimer(service, kind);
    this.#context.tickets.leave(service);
    this.#context.places.leave(service);
    if (state !== 'enabling') this.#context.tickets.release(service);
    if (state !== 'disabling') service.stop = null;
    service.state = state;
    service.reason = reason;
    service.cause = cause;
    if (state === 'disabling') service.because = reason;
    service.auditDue = false;
    service.actionFailures = 0;
    service.otherFailures = 0;
    service.otherAfter = 0;
    service.view = null;
    if (TRANSITIONS.includes(state)) this.#limit(service);
    this.#entered(service, from);
    changed(this.#context, service, cause);
    wakeAround(this.#context, service);
  }

  #entered(service: ServiceRecord, from: ServiceState): void {
    const { state, definition } = service;
    const running = state === 'enabled-active' || state === 'enabled-standby';
    this.#listen(service, running);
    if (running || state === 'disabled') {
      service.transitionFailures = 0;
      service.restart = state === 'disabled' ? null : service.restart;
      this.#armAudit(service);
    }
    if (running) {
      if (definition.pidFile !== '') this.#watch(service, true);
      if (service.failCount > 0) this.#armCountdown(service);
      if (from === 'enabling') setSource(service.script, '');
    } else if (state === 'disabling' || state === 'disabled' || state === 'unknown') {
      // While it is stopped its death is no news, and a new process is watched anew.
      this.#watch(service, false);
      service.death = null;
    }
  }

  /** A transition has reached the state it was for; a death on the way is dealt with now. */
  #arrive(service: ServiceRecord, state: ServiceState, cause: string, reason: string): void {
    const death = service.death;
    service.death = null;
    clearTransition(service);
    this.#enter(service, state, cause, reason);
    if (death !== null) this.apply(service, 'process-failure', `${death} while its script ran`);
  }

  #enabled(service: ServiceRecord, cause: string, reason: string): void {
    this.#arrive(service, service.promotable ? 'enabled-standby' : 'enabled-active', cause, reason);
  }

  #auditUnknown(service: ServiceRecord, event: ServiceEvent): void {
    if (service.run !== null) return;
    if (!service.managed) {
      this.#passUnmanaged(service, event);
      return;
    }
    const audit = auditOf(service);
    const stoppable = service.definition.actions.has('disable');
    if (!service.askable && service.desired === 'disabled' && stoppable) {
      // Its audit can not be run either. Where it has to be down, to stop it is as good as to know.
      const stop: Stop = { skipDependents: true, first: 'nothing' };
      this.#enterDisabling(service, event, service.failure, stop);
    } else if (audit === null) this.#enter(service, 'disabled', event, 'no audit to ask: taken for disabled');
    else this.actions.attempt(service, audit);
  }

  /** Nobody may ask a service that is not managed: it is taken to be where it is wanted. */
  #passUnmanaged(service: ServiceRecord, event: ServiceEvent): void {
    const goal = goalOf(service);
    if (goal === 'none') return;
    const state = goal === 'active' ? 'enabled-active' : goal === 'standby' ? 'enabled-standby' : 'disabled';
    this.#enter(service, state, event, 'not managed: taken to be as it is wanted');
  }

  #adopt(service: ServiceRecord, cause: string, reason: string): void {
    forgetFailures(service);
    clearTransition(service);
    this.#enter(service, service.found, cause, `${reason}: it is ${service.found}`);
  }

  #auditStanding(service: ServiceRecord): void {
    service.auditDue = false;
    const audit = standingAudit(service);
    if (audit === null || service.run !== null || !service.managed) return;
    // Without a place it waits in the queue, and is due still.
    service.auditDue = true;
    this.actions.attempt(service, audit);
    if (service.run !== null) service.auditDue = false;
  }

  #tryEnable(service: ServiceRecord, event: ServiceEvent): void {
    const { places, tickets } = this.#context;
    if (service.run !== null) {
      this.actions.attempt(service, 'enable');
      return;
    }
    if (this.actions.blocked(service, 'enable')) return;
    if (!tickets.take(service)) {
      const reason = `waits for one of ${tickets.size} tickets to be enabled`;
      setWait(this.#context, service, 'ticket', reason, null);
      return;
    }
    if (places.free === 0) {
      tickets.release(service);
      places.take(service, 1);
      setWait(this.#context, service, 'place', `waits for one of ${places.size} places for scripts`, null);
      return;
    }
    this.#enter(service, 'enabling', event, 'throttle open to enable service');
  }

  /** A script of enable or go-active failed for good, or the limit of the transition struck. */
  #failedStart(service: ServiceRecord, cause: string, reason: string): void {
    countDisturbance(service, reason);
    service.transitionFailures += 1;
    if (cause === 'transition-limit') {
      service.startFailures += 1;
      service.startAfter = this.#context.now + backOffMs(service.startFailures);
    }
    const demotable =
      service.state === 'enabled-go-active' && service.standbyCapable && service.death === null;
    if (demotable) this.#enter(service, 'enabled-go-standby', cause, reason);
    else this.#enterDisabling(service, cause, reason, { skipDependents: false, first: 'try' });
  }

  #demote(service: ServiceRecord, cause: string, reason: string): void {
    if (service.standbyCapable) this.#enter(service, 'enabled-go-standby', cause, reason);
    else this.#enterDisabling(service, cause, reason, { skipDependents: false, first: 'nothing' });
  }

  #runGoStandby(service: ServiceRecord): void {
    if (service.run === null && service.death !== null) {
      this.#dead(service, 'process-failure', service.death);
      return;
    }
    if (service.run === null && isGivenUp(this.#context, service)) return;
    if (service.run === null && service.auditDue && service.managed) {
      service.auditDue = false;
      const audit = auditOf(service);
      if (audit !== null) {
        this.actions.attempt(service, audit);
        return;
      }
    }
    this.actions.attempt(service, 'go-standby');
  }

  #demoteFailed(service: ServiceRecord, reason: string): void {
    countTransition(this.#context, service, reason);
    // Is it still alive?
    service.auditDue = service.definition.actions.has('audit-enabled');
  }

  #stop(service: ServiceRecord, cause: string, reason: string): void {
    const { restart, state } = service;
    if (state === 'enabling-throttle' && !service.maybeActive && !service.promotable) {
      // Nothing was started since it was last known to be down.
      this.#enter(service, 'disabled', cause, reason);
      return;
    }
    // An ordered stop may be taken back while it waits; one that is a step of something else is done to its end.
    const first = wantedDown(service) && restart === null ? 'nothing' : 'success';
    const stop: Stop = { skipDependents: restart === 'safe', first };
    if (restart === 'plain') service.holding = true;
    this.#enterDisabling(service, cause, reason, stop);
  }

  #enterDisabling(service: ServiceRecord, cause: string, reason: string, stop: Stop): void {
    service.stop = stop;
    this.#enter(service, 'disabling', cause, reason);
  }

  #runDisable(service: ServiceRecord): void {
    if (service.run !== null) {
      this.actions.attempt(service, 'disable');
      return;
    }
    if (service.revoked) {
      this.#runProof(service);
      return;
    }
    if (isGivenUp(this.#context, service)) return;
    this.actions.attempt(service, 'disable');
  }

  /** Permission is gone: by turns the stop script and an audit, until one of them proves that it is not active. */
  #runProof(service: ServiceRecord): void {
    const audit = auditOf(service);
    const stoppable = service.definition.actions.has('disable');
    if (audit !== null && (service.auditDue || !stoppable)) {
      this.actions.attempt(service, audit);
      if (service.run !== null) service.auditDue = false;
      return;
    }
    if (stoppable) {
      this.actions.attempt(service, 'disable');
      return;
    }
    // Neither stop script nor audit: its processes are killed, and nothing else can be known of it.
    setMaybeActive(this.#context, service, false);
    this.apply(service, 'disable-success', 'killed; it has neither a disable action nor an audit');
  }

  #disabled(service: ServiceRecord, cause: string, reason: string): void {
    const proven = !service.maybeActive || !service.managed || auditOf(service) === null;
    if (service.revoked && !proven) {
      service.otherFailures += 1;
      service.otherAfter = this.#context.now + backOffMs(service.otherFailures);
      service.auditDue = true;
      return;
    }
    clearTransition(service);
    this.#enter(service, 'disabled', cause, reason);
    service.auditDue = !proven;
  }

  #disableFailed(service: ServiceRecord, reason: string): void {
    countTransition(this.#context, service, reason);
    const { stop } = service;
    if (stop === null) return;
    if (stop.first === 'proof') service.auditDue = true;
    if (stop.first === 'try') {
      stop.first = 'nothing';
      // The script did not clear up what the service left behind: kill it before it is enabled again.
      this.#context.emit({ type: 'kill.service', service: service.name, reason });
    }
  }

  #alive(service: ServiceRecord): void {
    if (service.state !== 'enabled-active') return;
    forgetFailures(service);
    clearTransition(service);
  }

  #changedByAudit(service: ServiceRecord, cause: string, reason: string): void {
    if (service.found === 'disabled') {
      this.#dead(service, cause, reason);
      return;
    }
    if (service.state !== 'enabled-go-standby') countDisturbance(service, reason);
    this.#enter(service, service.found, cause, reason);
  }

  #auditBroken(service: ServiceRecord, cause: string, reason: string): void {
    countDisturbance(service, reason);
    service.startFailures += 1;
    service.holding = true;
    this.#enterDisabling(service, cause, reason, { skipDependents: false, first: 'try' });
  }

  /** One way for every service that is found dead: its stop script clears up, its dependents stay, it is enabled. */
  #dead(service: ServiceRecord, cause: string, reason: string): void {
    countDisturbance(service, reason);
    service.startFailures += 1;
    service.startAfter = this.#context.now + backOffMs(service.startFailures);
    this.#enterDisabling(service, cause, reason, { skipDependents: true, first: 'try' });
  }

  #revoke(service: ServiceRecord, cause: string, reason: string): void {
    if (!service.maybeActive) return;
    service.restart = null;
    this.#context.emit({ type: 'kill.service', service: service.name, reason });
    const stop: Stop = { skipDependents: true, first: 'proof' };
    if (service.state === 'disabling') {
      service.stop = stop;
      service.otherAfter = this.#context.now;
      this.#clearTimer(service, 'retry');
      if (service.run !== null && service.run.action !== 'disable') this.actions.abort(service, reason);
      wakeAround(this.#context, service);
      this.#context.wake(service);
    } else this.#enterDisabling(service, cause, reason, stop);
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Counters and limits
  // ---------------------------------------------------------------------------------------------------------------

  #limit(service: ServiceRecord): void {
    this.#setTimer(service, 'limit', this.#context.now + TRANSITION_LIMIT_MS);
  }

  #armCountdown(service: ServiceRecord): void {
    const { failCountdownIntervalMs } = service.definition;
    if (failCountdownIntervalMs <= 0) return;
    this.#setTimer(service, 'countdown', this.#context.now + failCountdownIntervalMs);
  }

  #countDown(service: ServiceRecord): void {
    if (service.status !== 'failed') {
      service.failCount = Math.max(0, service.failCount - service.definition.failCountdown);
      service.view = null;
      if (service.failCount === 0) service.startFailures = 0;
    }
    if (service.failCount > 0) this.#armCountdown(service);
  }

  #limitReason(service: ServiceRecord): string {
    const wait = service.wait === null ? '' : `: ${service.wait.reason}`;
    return `${service.state} for longer than ${TRANSITION_LIMIT_MS / 1000} s${wait}`;
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Audits, timers, watching, telling
  // ---------------------------------------------------------------------------------------------------------------

  /** The first audit comes after half a period to one, by name, so that services enabled together are not audited together. */
  #armAudit(service: ServiceRecord): void {
    const period = auditPeriod(service);
    if (period <= 0) return;
    const half = Math.ceil(period / 2);
    this.#setTimer(service, 'audit', this.#context.now + half + (hash(service.name) % half));
  }

  /** What earlier lives began is over: what came of it is known now. */
  #endIntents(service: ServiceRecord): void {
    for (const { run, action } of service.intents) {
      this.#context.emit({ type: 'persist.intent', run, service: service.name, action, ended: true });
    }
    service.intents = [];
  }

  #watch(service: ServiceRecord, on: boolean): void {
    if (service.watching === on) return;
    service.watching = on;
    const pidFile = on ? service.definition.pidFile : null;
    this.#context.emit({ type: 'watch', service: service.name, pidFile });
  }

  /** A heart that is not listened to is not ill. */
  #listen(service: ServiceRecord, on: boolean): void {
    if (!on) setSource(service.heartbeat, '');
    if (service.listening === on || service.definition.heartbeat === undefined) return;
    service.listening = on;
    this.#context.emit({ type: 'heartbeat', service: service.name, on });
  }

  #setTimer(service: ServiceRecord, kind: ServiceTimer, at: number): void {
    this.#context.timers.set(service.timerKeys.get(kind) ?? '', at);
  }

  #clearTimer(service: ServiceRecord, kind: ServiceTimer): void {
    this.#context.timers.clear(service.timerKeys.get(kind) ?? '');
  }
}
