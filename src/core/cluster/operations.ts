/**
 * Operations that an operator asked for, as persisted records (docs/SAFETY.md, rule 19). Any node takes a request; the
 * leader accepts or refuses it and moves it on; steps only ever rise, so both nodes' copies merge without a quarrel.
 */
import type { PersistEffect } from '../engine-interface.ts';
import { rank } from '../kernel/names.ts';
import type { Operation, OperationStep } from '../link/types.ts';
import { OPERATION_STEPS } from '../link/types.ts';

const KEPT_MAX = 16;
const FINAL: ReadonlySet<OperationStep> = new Set(['done', 'failed-back', 'timed-out', 'refused']);

export function isFinal(operation: Operation): boolean {
  return FINAL.has(operation.step);
}

export class Operations {
  #list: Operation[];
  readonly #emit: (effect: PersistEffect) => void;

  constructor(restored: readonly Operation[], emit: (effect: PersistEffect) => void) {
    this.#list = restored.slice(-KEPT_MAX);
    this.#emit = emit;
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

  add(operation: Operation): void {
    this.#list.push(operation);
    // The newest finished ones stay, so that whoever asked can still read how it ended.
    while (this.#list.length > KEPT_MAX) {
      const oldest = this.#list.findIndex(isFinal);
      this.#list.splice(oldest < 0 ? 0 : oldest, 1);
    }
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

  /** The peer's copies: unknown ones are taken, known ones move on. Returns those that changed. */
  merge(theirs: readonly Operation[]): Operation[] {
    const changed: Operation[] = [];
    for (const operation of theirs) {
      const mine = this.find(operation.id);
      if (mine === undefined) {
        // A finished one that we forgot is of no use any more.
        if (isFinal(operation)) continue;
        this.add(operation);
        changed.push(operation);
        continue;
      }
      const advanced = this.advance(operation.id, operation.step, operation.reason);
      if (advanced !== null) changed.push(advanced);
    }
    return changed;
  }
}
