/**
 * What the leader does with operations (docs/SAFETY.md, rule 19): accepts or refuses a request, looks whether the groups
 * have come to where it wants them, ends it, fails it back, or gives it up at its limit. It moves nothing itself: an
 * accepted swact or lock changes what the plan sees.
 */

import type { OperatorCommand } from '../engine-interface.ts';
import { STATE } from '../kernel/state.ts';
import type { Operation, OperationStep } from '../link/types.ts';
import { hasFailed } from '../plan/plan.ts';
import { type ClusterContext, groupOn } from './context.ts';
import { isFinal } from './operations.ts';

/** Longest time from the request of an operation to its end. */
const OPERATION_LIMIT_MS = 300_000;
const TIMER = 'cluster/operations';

export class OperationProgress {
  readonly #context: ClusterContext;
  /** Monotonic ms at which this node saw an operation first: the clocks of two nodes tell nothing about its age. */
  readonly #since = new Map<string, number>();
  /** Forced swacts for which this node has forgiven what failed on it. */
  readonly #forgiven = new Set<string>();
  #counter = 0;

  get [STATE]() {
    return {
      since: this.#since,
      forgiven: this.#forgiven,
      counter: this.#counter,
    };
  }

  set [STATE](state) {
    this.#counter = state.counter;
  }

  constructor(context: ClusterContext) {
    this.#context = context;
  }

  /** Takes a request in; it travels to the leader with the next report. Returns its id. */
  request(
    { kind, node, group, why, forMs }: Extract<OperatorCommand, { node: string; group: string }>,
    actor: string,
    wallMs: number,
    now: number,
  ): string {
    const { me, operations } = this.#context;
    this.#counter += 1;
    const id = `${me}-${wallMs.toString(36)}-${this.#counter}`;
    this.#since.set(id, now);
    const limitMs = kind === 'lock' ? forMs : OPERATION_LIMIT_MS;
    const step = 'requested';
    operations.add({ id, kind, node, group, step, actor, why, reason: '', requestedAt: wallMs, limitMs });
    return id;
  }

  /** The peer's copies of the operations; one that asks this node to recover is carried out here. */
  merge(theirs: readonly Operation[], now: number): void {
    const { me, operations, wall } = this.#context;
    for (const { operation, from } of operations.merge(theirs, Math.round(wall(now)))) {
      this.#endOf(operation, now);
      // Whoever follows an order at this node finds its steps and its end here, too.
      if (operation.step !== from)
        this.#note({ ...operation, step: from }, operation.step, operation.reason || operation.why);
      this.#forgive(operation, now);
      if (operation.kind === 'lock' && operation.node === me) this.#dateLock(operation, now);
      if (operation.kind === 'recover' && operation.node === me && operation.step === 'accepted')
        this.#recover(operation, now);
    }
  }

  /** The leader's look at everything that is pending. */
  drive(now: number): void {
    const { operations } = this.#context;
    for (const operation of operations.pending()) {
      if (operation.step === 'requested') this.#accept(operation, now);
      else this.#progress(operation, now);
    }
    this.#arm(operations.pending(), now);
  }

  /** A request that no leader has taken up: whoever leads later can not tell how old it is. */
  expire(now: number): void {
    const requests = () => this.#context.operations.pending().filter(({ step }) => step === 'requested');
    for (const operation of requests()) if (now >= this.#endOf(operation, now)) this.#notTakenUp(operation);
    this.#arm(requests(), now);
  }

  #arm(pending: readonly Operation[], now: number): void {
    const { timers } = this.#context;
    const next = Math.min(...pending.map((operation) => this.#endOf(operation, now)));
    if (next === Number.POSITIVE_INFINITY) timers.clear(TIMER);
    else if (timers.armed.get(TIMER)?.at !== next) timers.set(TIMER, next);
    const known = new Set(this.#context.operations.all().map(({ id }) => id));
    for (const seen of [this.#since, this.#forgiven])
      for (const id of seen.keys()) if (!known.has(id)) seen.delete(id);
  }

  /** Monotonic ms of the limit. One of an earlier life of `sm` is as old as this node's own clock says. */
  #endOf({ id, requestedAt }: Operation, now: number): number {
    const since = this.#since.get(id) ?? Math.min(this.#context.monotonic(requestedAt), now);
    this.#since.set(id, since);
    return since + OPERATION_LIMIT_MS;
  }

  #notTakenUp(operation: Operation): void {
    this.#end(operation, 'timed-out', `nobody took it up within ${OPERATION_LIMIT_MS / 1000} s`);
  }

  /** Wall-clock ms by the clock of this node; 0 = not before an unlock. */
  #lockEnd(operation: Operation, now: number): number {
    const since = this.#endOf(operation, now) - OPERATION_LIMIT_MS;
    return operation.limitMs === 0 ? 0 : Math.round(this.#context.wall(since) + operation.limitMs);
  }

  /** A lock ends by the clock of the node that is locked: the leader, who locked it, may have another time of day. */
  #dateLock(operation: Operation, now: number): void {
    const { me, nodes } = this.#context;
    const { administrative, lockedUntil, lockReason } = nodes.own;
    if (administrative !== 'locked' || lockedUntil === 0 || operation.limitMs === 0) return;
    if (operation.step === 'accepted' || operation.step === 'done')
      nodes.setAdministrative(me, 'locked', this.#lockEnd(operation, now), lockReason);
  }

  #accept(operation: Operation, now: number): void {
    // One that nobody led to its end for so long is not what its operator expects to happen now.
    if (now >= this.#endOf(operation, now)) return this.#notTakenUp(operation);
    const refusal = this.#refusal(operation);
    if (refusal !== '') return this.#end(operation, 'refused', refusal);
    const { operations } = this.#context;
    const taken = operations.advance(operation.id, 'accepted') ?? operation;
    this.#note(operation, 'accepted', operation.why);
    const { node, kind, why } = operation;
    if (isSwact(operation)) this.#supersede(operation);
    this.#forgive({ ...operation, step: 'accepted' }, now);
    if (kind === 'lock') {
      this.#setAdministrative(node, 'locked', this.#lockEnd(operation, now), why);
    } else if (kind === 'unlock') {
      this.#setAdministrative(node, 'unlocked', 0, '');
      this.#end(taken, 'done', '');
    } else if (kind === 'recover' && node === this.#context.me) this.#recover(taken, now);
  }

  /** Two swacts that pull in opposite directions would hold each other up until both are too old: the newer one counts. */
  #supersede(newer: Operation): void {
    for (const older of this.#context.operations.pending()) {
      if (older.id !== newer.id && isSwact(older) && older.step !== 'requested')
        this.#end(older, 'failed-back', `superseded by the ${newer.kind} of ${newer.node}`);
    }
  }

  #setAdministrative(node: string, to: 'locked' | 'unlocked', until: number, reason: string): void {
    const { nodes, history } = this.#context;
    const from = nodes.find(node)?.administrative ?? 'unknown';
    nodes.setAdministrative(node, to, until, reason);
    history({ entity: 'node', name: node, from, to, cause: to === 'locked' ? 'lock' : 'unlock', reason });
  }

  /** The checks that belong in the engine, not only in front of it. */
  #refusal({ kind, node }: Operation): string {
    const { definitions, nodes, numbers, me, peer } = this.#context;
    const locked = nodes.find(node)?.administrative === 'locked';
    if (kind === 'lock' && locked) return `${node} is locked already`;
    if (kind === 'unlock' && !locked) return `${node} is not locked`;
    const other = definitions.nodes.find((name) => name !== node);
    if (kind === 'recover' && node === peer?.name && peer.absence !== '')
      return `${node} can not be asked to try again: ${peer.absence}`;
    if (kind === 'unlock' || kind === 'recover' || (kind === 'lock' && other === undefined)) return '';
    const row = other === undefined ? undefined : nodes.find(other);
    if (other === undefined || row === undefined)
      return 'this domain has one node only, there is nowhere to go';
    const absence = other === me ? '' : (peer?.absence ?? '');
    if (absence !== '') return `${other} can not take the groups: ${absence}`;
    if (row.administrative === 'locked')
      return `${other} can not take the groups: it is locked (${row.lockReason})`;
    if (row.ready !== 'enabled') return `${other} can not take the groups: it is not ready`;
    const moved = numbers.all().every(({ holder }) => holder === other);
    if (kind !== 'lock' && moved) return `nothing is active on ${node} that could move, ${other} has it all`;
    return kind === 'swact' ? this.#unfit(other, node) : '';
  }

  /** Nobody expects the groups to move when it comes back minutes later. */
  #gone(target: string): string {
    const { peer } = this.#context;
    return peer?.name === target && !peer.heard ? `${target} can not take the groups: ${peer.absence}` : '';
  }

  /** A planned swact goes only where nothing of what moves has failed. */
  #unfit(target: string, from: string): string {
    for (const { group, holder } of this.#context.numbers.all()) {
      if (holder !== from) continue;
      const view = groupOn(this.#context, target, group);
      if (view?.status === 'failed')
        return `${group} has failed on ${target} (${view.reason}); smctl recover, or swact-force`;
    }
    return '';
  }

  #progress(operation: Operation, now: number): void {
    const { nodes } = this.#context;
    const { kind, node } = operation;
    if (now >= this.#endOf(operation, now)) {
      return this.#end(operation, 'timed-out', `not finished within ${OPERATION_LIMIT_MS / 1000} s`);
    }
    if (kind === 'lock') {
      if (nodes.find(node)?.administrative !== 'locked')
        this.#end(operation, 'failed-back', `${node} was unlocked meanwhile`);
      else if (this.#emptied(node)) this.#end(operation, 'done', '');
      else if (this.#isLost(node))
        this.#end(operation, 'done', `${node} is not heard: it is given nothing when it is back`);
    } else if (isSwact(operation)) this.#progressSwact(operation);
  }

  #progressSwact(operation: Operation): void {
    const { definitions, numbers, operations } = this.#context;
    const { id, node, kind } = operation;
    const target = definitions.nodes.find((name) => name !== node) ?? '';
    const placements = numbers.all();
    if (placements.some(({ holder }) => holder === node)) {
      operations.advance(id, 'stopping');
      const barred = this.#gone(target) || (kind === 'swact' ? this.#unfit(target, node) : '');
      if (barred !== '') this.#end(operation, 'failed-back', barred);
      return;
    }
    operations.advance(id, 'stopped');
    const arriving = placements.filter(({ holder }) => holder === target);
    if (arriving.length === 0) return;
    operations.advance(id, 'activating');
    const views = arriving.map(({ group }) => groupOn(this.#context, target, group));
    const failed = views.find((view) => (kind === 'swact' ? view?.status === 'failed' : hasFailedAnew(view)));
    if (failed !== undefined)
      return this.#end(operation, 'failed-back', `${failed.name} failed there: ${failed.reason}`);
    const arrived = arriving.length === placements.length;
    if (arrived && views.every((view) => view?.state === 'active')) this.#end(operation, 'done', '');
  }

  /**
   * A forced swact goes where something has failed, too: that is forgiven first, or it would not be tried before its
   * time, and the group would leave again as soon as it has come.
   */
  #forgive(operation: Operation, now: number): void {
    const { id, kind, node, step } = operation;
    const { me, definitions, local } = this.#context;
    if (kind !== 'swact-force' || node === me || step === 'requested' || isFinal(operation)) return;
    if (this.#forgiven.has(id)) return;
    this.#forgiven.add(id);
    for (const { name } of definitions.groups.values())
      if (local.group(name).inactive)
        local.step({ type: 'group.recover', group: name, clearFatal: true, forgive: true }, now);
  }

  #recover(operation: Operation, now: number): void {
    const { definitions, local } = this.#context;
    for (const { name } of definitions.groups.values()) {
      if (operation.group !== '' && operation.group !== name) continue;
      local.step({ type: 'group.recover', group: name, clearFatal: true, forgive: true }, now);
    }
    this.#end(operation, 'done', '');
  }

  /** Nothing of any group is wanted or active on that node any more. */
  #emptied(node: string): boolean {
    const { me, local, peer } = this.#context;
    const groups = node === me ? local.groups() : (peer?.report?.groups ?? []);
    return groups.every((group) => group.state === 'disabled' || group.state === 'initial');
  }

  /** What it held is here by now; what else it does nobody can ask it. */
  #isLost(node: string): boolean {
    const { numbers, peer } = this.#context;
    return peer?.name === node && !peer.heard && numbers.all().every(({ holder }) => holder !== node);
  }

  #end(operation: Operation, step: OperationStep, reason: string): void {
    this.#context.operations.advance(operation.id, step, reason);
    this.#note(operation, step, reason === '' ? operation.why : reason);
  }

  #note({ id, kind, node, step, actor }: Operation, to: string, reason: string): void {
    const name = `${kind} ${node}`;
    this.#context.history({ entity: 'operation', name, from: step, to, cause: id, reason, actor });
  }
}

/** It was forgiven before it was given: a failure of one that is on its way to active is a new one. */
function hasFailedAnew(view: ReturnType<typeof groupOn>): boolean {
  return (view?.state === 'go-active' || view?.state === 'active') && hasFailed(view);
}

function isSwact({ kind }: Operation): boolean {
  return kind === 'swact' || kind === 'swact-force';
}
