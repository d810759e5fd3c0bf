/**
 * Operations that an operator asked for, as persisted records (docs/SAFETY.md, rule 19). Any node takes a request; the
 * leader accepts or refuses it and moves it on; steps only ever rise, so both nodes' copies merge without a quarrel.
 */

import type { PersistEffect } from '../engine-interface.ts';
import { rank } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';
import type { Operation, OperationStep } from '../link/types.ts';
import { OPERATION_STEPS } from '../link/types.ts';

/** In the report, so that whoever asked can still read how it ended. */
const KEPT_MAX = 16;
/** Ended ones that are remembered, as many as the store keeps: the peer may still have one of them as unfinished. */
const ENDED_MAX = 200;
const FINAL: ReadonlySet<OperationStep> = new Set(['done', 'failed-back', 'timed-out', 'refused']);

export function isFinal(operation: Operation): boolean {
  return FINAL.has(operation.step);
}

/** An operation that has come further, as the peer tells. */
export interface Moved {
  readonly operation: Operation;
  readonly from: OperationStep;
}

export class Operations {
  #list: Operation[] = [];
  /** Ended ones that are not in the list any more, oldest first. */
  readonly #ended = new Map<string, Operation>();
  readonly #emit: (effect: PersistEffect) => void;

  /** `restored`: oldest first. */
  get [STATE]() {
    return {
      ended: this.#ended,
      list: this.#list,
    };
  }

  set [STATE](state) {
    this.#list = state.list;
  }

  constructor(restored: readonly Operation[], emit: (effect: PersistEffect) => void) {
    this.#emit = emit;
    for (const operation of restored) this.#keep(operation);
  }

  all(): readonly Operation[] {
    return this.#list;
  }

  pending(): Operation[] {
    return this.#list.filter((operation) => !isFinal(operation));
  }

  find(id: string): Operation | undefined {
    return this.#list.find((operation) => operation.id === id);
  }

  /** No room for one more before one of those under way has ended. */
  get full(): boolean {
    return this.pending().length >= KEPT_MAX;
  }

  add(operation: Operation): void {
    this.#keep(operation);
    this.#emit({ type: 'persist.operation', operation });
  }

  advance(id: string, step: OperationStep, reason = ''): Operation | null {
    const index = this.#list.findIndex((operation) => operation.id === id);
    const old = this.#list[index];
    if (old === undefined || rank(OPERATION_STEPS, step) <= rank(OPERATION_STEPS, old.step)) return null;
    const operation = { ...old, step, reason: reason === '' ? old.reason : reason };
    this.#list[index] = operation;
    this.#emit({ type: 'persist.operation', operation });
    return operation;
  }

  /**
   * The peer's copies: unknown ones are taken, known ones move on. Returns those that changed, with the step before.
   * `wallMs`: this node's clock, from which the age of what it stores is told after a restart; the peer's may be hours apart.
   */
  merge(theirs: readonly Operation[], wallMs: number): Moved[] {
    const changed: Moved[] = [];
    for (const operation of theirs) {
      const mine = this.find(operation.id);
      if (mine === undefined) {
        const ended = this.#ended.get(operation.id);
        // A finished one that we forgot is of no use any more.
        if (isFinal(operation)) continue;
        // The peer has not heard how this one ended: it is told again, and never carried out a second time.
        if (ended !== undefined) this.#keep(ended);
        else if (!this.full) {
          const taken = { ...operation, requestedAt: wallMs };
          this.add(taken);
          changed.push({ operation: taken, from: 'requested' });
        }
        continue;
      }
      const advanced = this.advance(operation.id, operation.step, operation.reason);
      if (advanced !== null) changed.push({ operation: advanced, from: mine.step });
    }
    return changed;
  }

  /** At the end of the list; for it goes the oldest that has ended, if there are too many. */
  #keep(operation: Operation): void {
    this.#ended.delete(operation.id);
    this.#list.push(operation);
    const oldest = this.#list.length > KEPT_MAX ? this.#list.findIndex(isFinal) : -1;
    for (const ended of oldest < 0 ? [] : this.#list.splice(oldest, 1)) this.#ended.set(ended.id, ended);
    for (const id of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_MAX) break;
      this.#ended.delete(id);
    }
  }
}
