/**
 * Actions: one script of a service at a time, its preconditions, its retries, and what its end says.
 */

import { assert } from '../kernel/assert.ts';
import type { ServiceAction } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';
import { backOffMs, type Context, URGENCIES } from './context.ts';
import { unmetFor } from './dependency.ts';
import { isKilledInstead } from './goal.ts';
import { holdReason } from './hold.ts';
import type { LocalEvent, RunOutcome } from './interface.ts';
import { type Invocation, invocation } from './invocation.ts';
import type { GroupRecord, Run, ServiceRecord } from './record.ts';
import { auditedState, type Verdict } from './result.ts';
import { activatingRun, plainRun } from './run-effect.ts';
import type { ServiceEvent } from './service-table.ts';
import { setLate, setWait } from './wait.ts';

/** Pause before a script that was refused for a passing cause is tried again. */
const REFUSED_PAUSE_MS = 1000;
/** Characters of a script's output that a reason repeats. */
const OUTPUT_CHARACTERS_MAX = 120;

/** Of what needs no script. */
const NO_INVOCATION: Invocation = { ok: true, environment: {} };

type RunDone = Extract<LocalEvent, { type: 'run.done' }>;
export type Report = (service: ServiceRecord, event: ServiceEvent, reason: string) => void;

export class Actions {
  /** Ends of runs that nobody waits for: of an earlier life, or told twice. */
  unknownRuns = 0;
  readonly #context: Context;
  readonly #report: Report;
  readonly #runs = new Map<number, Run>();
  readonly #invocations = new Map<ServiceRecord, Map<ServiceAction, Invocation>>();
  #lastRun: number;

  get [STATE]() {
    return {
      runs: this.#runs,
      lastRun: this.#lastRun,
    };
  }

  set [STATE](state) {
    this.#lastRun = state.lastRun;
  }

  constructor(context: Context, lastRun: number, report: Report) {
    this.#context = context;
    this.#lastRun = lastRun;
    this.#report = report;
  }

  /**
   * Starts the action's script, or sets the wait that says why not yet. A service without this action, or one that is
   * not managed, passes at once.
   */
  attempt(service: ServiceRecord, action: ServiceAction): void {
    if (service.run !== null) {
      this.#waitForRun(service, service.run);
      return;
    }
    if (!service.definition.actions.has(action)) {
      this.#report(service, passEvent(action), `${service.name} has no action ${action}: passed`);
      return;
    }
    if (this.blocked(service, action)) return;
    if (!service.managed && !service.revoked) {
      if (action === service.activatingAction) setMaybeActive(this.#context, service, true);
      this.#report(service, passEvent(action), `not managed: ${action} passed without its script`);
      return;
    }
    if (this.#takePlace(service, action)) this.#start(service, action);
  }

  /** True if the action has to wait; the wait is set then. Places are not looked at. */
  blocked(service: ServiceRecord, action: ServiceAction): boolean {
    const { now } = this.#context;
    const after = isStart(action) ? service.startAfter : service.otherAfter;
    if (after > now) {
      this.#setTimer(service, after);
      const why = isStart(action) ? service.disturbance || service.failure : service.failure;
      setWait(this.#context, service, 'retry', `${action} is tried again after a pause: ${why}`, after);
      return true;
    }
    const checked = action !== 'disable' || service.stop?.skipDependents !== true;
    const unmet = checked ? unmetFor(service, action) : null;
    if (unmet !== null) {
      setWait(this.#context, service, 'dependency', unmet.reason, this.limitOf(service));
      setLate(this.#context, service, unmet.late);
      return true;
    }
    if (!service.managed || action !== service.activatingAction) return false;
    if (service.group.hold?.state === 'go-active') {
      setWait(this.#context, service, 'notification', holdReason(service.group), service.group.hold.until);
      return true;
    }
    if (service.group.definition.exclusive && tokenOf(service.group, now) === null) {
      const reason = `waits for permission to activate ${service.group.name} on this node`;
      setWait(this.#context, service, 'permission', reason, this.limitOf(service));
      return true;
    }
    return false;
  }

  /** When the limit of the service's transition strikes, or null. */
  limitOf(service: ServiceRecord): number | null {
    return this.#context.timers.armed.get(service.timerKeys.get('limit') ?? '')?.at ?? null;
  }

  /** Has the running script killed, with everything it started. What it says at its end means nothing any more. */
  abort(service: ServiceRecord, reason: string): void {
    const run = service.run;
    service.attempts = 0;
    if (run === null || run.aborting) return;
    run.aborting = true;
    service.view = null;
    this.#context.emit({ type: 'kill', run: run.id, reason });
  }

  finish(event: RunDone): void {
    const run = this.#runs.get(event.run);
    if (run === undefined) {
      this.unknownRuns += 1;
      return;
    }
    const { service, action } = run;
    this.#runs.delete(run.id);
    assert(service.run === run, () => `${service.name}: run ${run.id} is not the one that runs`);
    service.run = null;
    service.view = null;
    this.#context.places.release(service);
    if (!isAudit(action)) {
      this.#context.emit({ type: 'persist.intent', run: run.id, service: service.name, action, ended: true });
    }
    this.#context.wake(service);
    if (run.aborting || this.#isPassing(run, event.outcome)) return;
    this.#judge(run, event);
  }

  #isPassing(run: Run, outcome: RunOutcome): boolean {
    const { service, action, token } = run;
    if (outcome.kind !== 'refused') return false;
    const { now } = this.#context;
    const expired = token !== null && token.deadline <= now;
    if (!expired && outcome.transient !== true) return false;
    service.failure = outcome.reason;
    service.attempts = Math.max(0, service.attempts - 1);
    if (isAudit(action)) service.auditDue = true;
    if (isStart(action)) service.startAfter = expired ? now : now + REFUSED_PAUSE_MS;
    else service.otherAfter = now + REFUSED_PAUSE_MS;
    return true;
  }

  #judge(run: Run, event: RunDone): void {
    const { service, action } = run;
    const definition = service.definition.actions.get(action);
    assert(definition !== undefined, () => `${service.name}: no action ${action}`);
    const verdict = this.#context.rules.judge(definition, event.outcome);
    const text = () => failureText(definition.pluginName, definition.pluginCommand, event);
    applyStatus(service, verdict, text);
    if (verdict.result === 'success') {
      const said = isAudit(action) ? '' : successText(service, action, event);
      service.attempts = 0;
      service.failure = '';
      if (isAudit(action)) this.#reportAudit(service, verdict);
      else {
        // What was stopped or demoted by its script is not active; what is activated counts as active from the start on.
        if (!isStart(action) && provesStop(event.outcome)) setMaybeActive(this.#context, service, false);
        this.#report(service, passEvent(action), said);
      }
      return;
    }
    service.failure = text();
    if (isAudit(action)) service.askable = event.outcome.kind !== 'refused';
    this.#countFailure(service, action);
    const runs = verdict.result === 'timeout' ? definition.maxTimeoutRetries : definition.maxFailureRetries;
    const exhausted =
      verdict.result === 'fatal' ||
      event.outcome.kind === 'refused' ||
      event.outcome.kind === 'killed' ||
      service.attempts >= runs ||
      service.attempts >= definition.maxTotalRetries;
    if (!exhausted) {
      if (isAudit(action)) service.auditDue = true;
      return;
    }
    service.attempts = 0;
    // The next audit of a standing service is due by its period, not by a back-off.
    if (isAudit(action) && isStanding(service)) {
      service.otherFailures = 0;
      service.otherAfter = 0;
    }
    this.#report(service, failEvent(action, verdict), service.failure);
  }

  #countFailure(service: ServiceRecord, action: ServiceAction): void {
    const { now } = this.#context;
    if (isStart(action)) {
      service.startFailures += 1;
      service.startAfter = now + backOffMs(service.startFailures);
    } else {
      service.otherFailures += 1;
      service.otherAfter = now + backOffMs(service.otherFailures);
    }
  }

  #reportAudit(service: ServiceRecord, verdict: Verdict): void {
    const found = auditedState(verdict.state, service.promotable);
    service.found = found;
    service.askable = true;
    if (isStanding(service)) service.otherFailures = 0;
    setMaybeActive(this.#context, service, found === 'enabled-active');
    const { state } = service;
    // While it is being demoted or stopped it counts as active until the audit says otherwise.
    const expected = state === 'enabled-go-standby' || state === 'disabling' ? 'enabled-active' : state;
    const fits = state === 'unknown' || found === expected;
    this.#report(
      service,
      fits ? 'audit-success' : 'audit-mismatch',
      fits ? 'audit success' : `audit state mismatch: it is ${found}`,
    );
  }

  #takePlace(service: ServiceRecord, action: ServiceAction): boolean {
    const urgency = isAudit(action) ? 2 : isStart(action) ? 1 : 0;
    const beyond = service.revoked;
    if (this.#context.places.take(service, urgency, beyond)) return true;
    const reason = `waits for one of ${this.#context.places.size} places for scripts, to ${action} (${URGENCIES[urgency]})`;
    setWait(this.#context, service, 'place', reason, this.limitOf(service));
    return false;
  }

  #start(service: ServiceRecord, action: ServiceAction): void {
    const killsInstead = action === 'disable' && isKilledInstead(service);
    const call = killsInstead ? NO_INVOCATION : this.#invocation(service, action);
    if (!call.ok) {
      this.#context.places.release(service);
      service.failure = call.error;
      this.#countFailure(service, action);
      this.#context.wake(service);
      this.#report(service, failEvent(action, null), call.error);
      return;
    }
    this.#lastRun += 1;
    const order = { run: this.#lastRun, service, action, environment: call.environment, killsInstead };
    const activating = action === service.activatingAction;
    const token = activating ? tokenOf(service.group, this.#context.now) : null;
    const run: Run = { id: order.run, service, action, token, aborting: false };
    this.#runs.set(run.id, run);
    service.run = run;
    service.attempts += 1;
    service.view = null;
    if (activating) setMaybeActive(this.#context, service, true);
    if (!isAudit(action)) {
      this.#context.emit({
        type: 'persist.intent',
        run: run.id,
        service: service.name,
        action,
        ended: false,
      });
    }
    if (!activating) this.#context.emit(plainRun(order));
    else if (token === null) this.#context.emit(activatingRun(order, { exclusive: false }));
    else this.#context.emit(activatingRun(order, { exclusive: true, token }));
    // An audit of a standing service is no wait; the script of a transition is.
    if (!isAudit(action)) this.#waitForRun(service, run);
  }

  #waitForRun(service: ServiceRecord, run: Run): void {
    const reason = run.aborting
      ? `the ${run.action} script is being killed`
      : `the ${run.action} script runs`;
    setWait(this.#context, service, 'run', reason, this.limitOf(service));
  }

  #setTimer(service: ServiceRecord, at: number): void {
    const key = service.timerKeys.get('retry') ?? '';
    if (this.#context.timers.armed.get(key)?.at !== at) this.#context.timers.set(key, at);
  }

  /** Definitions do not change while the engine lives, so an environment is made once. */
  #invocation(service: ServiceRecord, action: ServiceAction): Invocation {
    const calls = this.#invocations.get(service) ?? new Map<ServiceAction, Invocation>();
    this.#invocations.set(service, calls);
    const known = calls.get(action);
    if (known !== undefined) return known;
    const definition = service.definition.actions.get(action);
    assert(definition !== undefined, () => `${service.name}: no action ${action}`);
    const call = invocation(service.definition, definition);
    calls.set(action, call);
    return call;
  }
}

/** The group's token as long as it has not run out. */
export function tokenOf(group: GroupRecord, now: number): GroupRecord['token'] {
  return group.definition.exclusive && group.token !== null && group.token.deadline > now
    ? group.token
    : null;
}

export function setMaybeActive(context: Context, service: ServiceRecord, value: boolean): void {
  if (service.maybeActive === value) return;
  service.maybeActive = value;
  service.group.maybeActive += value ? 1 : -1;
  if (!value) context.stops += 1;
  context.wakeGroup(service.group);
}

export function isAudit(action: ServiceAction): boolean {
  return action === 'audit-enabled' || action === 'audit-disabled';
}

function isStanding(service: ServiceRecord): boolean {
  const { state } = service;
  return state === 'disabled' || state === 'enabled-standby' || state === 'enabled-active';
}

function isStart(action: ServiceAction): boolean {
  return action === 'enable' || action === 'go-active';
}

type Transition = 'enable' | 'go-active' | 'go-standby' | 'disable';

function passEvent(action: ServiceAction): ServiceEvent {
  return isAudit(action) ? 'audit-success' : `${action as Transition}-success`;
}

function failEvent(action: ServiceAction, verdict: Verdict | null): ServiceEvent {
  if (verdict?.result === 'fatal') return 'shutdown';
  const how = verdict?.result === 'timeout' ? 'timeout' : 'failed';
  return isAudit(action) ? `audit-${how}` : `${action as Transition}-${how}`;
}

/**
 * A stop that the script itself calls done: exit 0, or not running (7), or not even installed (5); or everything was killed
 * because there is no script. Rules may call other ends a success too, so that nothing waits for them; then only an audit
 * proves that nothing is active.
 */
function provesStop(outcome: RunOutcome): boolean {
  if (outcome.kind === 'killed') return outcome.stopped;
  return outcome.kind === 'exit' && (outcome.code === 0 || outcome.code === 5 || outcome.code === 7);
}

/** Every script's word on status replaces the earlier word of the scripts; a rule that says nothing changes nothing. */
function applyStatus(service: ServiceRecord, verdict: Verdict, reason: () => string): void {
  if (verdict.status === null) return;
  if (verdict.status !== '' && verdict.status !== service.script.status) service.reason = reason();
  service.script.status = verdict.status;
  service.script.condition = verdict.status === '' ? '' : (verdict.condition ?? '');
}

function failureText(plugin: string, command: string, event: RunDone): string {
  const { outcome } = event;
  const lines = event.outputTail
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const output = lines.slice(-2).join(' | ').slice(-OUTPUT_CHARACTERS_MAX);
  return `${plugin} ${command} ${endText(outcome, event.durationMs)}${output === '' ? '' : `: ${output}`}`;
}

/** How long it took, and what went wrong before it went well: an earlier try changes no state, and is told nowhere else. */
function successText(
  { attempts, failure }: ServiceRecord,
  action: ServiceAction,
  { outcome, durationMs }: RunDone,
): string {
  if (outcome.kind === 'killed') return outcome.reason;
  const text = `${action} success after ${Math.round(durationMs)} ms`;
  return attempts > 1 && failure !== '' ? `${text}, at try ${attempts}: ${failure}` : text;
}

function endText(outcome: RunOutcome, durationMs: number): string {
  switch (outcome.kind) {
    case 'exit':
      return `exited ${outcome.code} after ${Math.round(durationMs)} ms`;
    case 'signal':
      return `was ended by ${outcome.signal}`;
    case 'timeout':
      return `did not end within ${Math.round(durationMs)} ms and was killed`;
    case 'killed':
      return `was not started: ${outcome.reason}`;
    case 'refused':
      return `was not started: ${outcome.reason}`;
    case 'aborted':
      return 'was killed';
  }
}
