/**
 * What a failed commit leaves behind: kept, the newest row per thing, until a commit succeeds. Bounded: rows by the
 * number of things that exist, history by its own limit.
 */
import type { SavedEffect } from './ports.ts';

export const UNSAVED_HISTORY_MAX = 1000;

/** The row that an effect writes: a later effect of the same key replaces an earlier one. */
function rowKey(effect: Exclude<SavedEffect, { type: 'history' }>): string {
  switch (effect.type) {
    case 'persist.service':
    case 'persist.managed':
      return `${effect.type} ${effect.service}`;
    case 'persist.group':
      return `${effect.type} ${effect.group}`;
    case 'persist.intent':
      return `${effect.type} ${effect.run}`;
    case 'persist.node':
      return `${effect.type} ${effect.node.name}`;
    case 'persist.interface':
      return `${effect.type} ${effect.role}`;
    case 'persist.domain':
    case 'persist.register':
    case 'persist.off-times':
    case 'persist.word':
      return effect.type;
    case 'persist.neighbor':
      return `${effect.type} ${effect.name}`;
    case 'persist.assignment':
      return `${effect.type} ${effect.assignment.node} ${effect.assignment.group}`;
    case 'persist.numbers':
      return `${effect.type} ${effect.numbers.group}`;
    case 'persist.operation':
      return `${effect.type} ${effect.operation.id}`;
    case 'persist.boot':
      return `${effect.type} ${effect.boot.cause} ${effect.boot.wallMs}`;
    case 'persist.alarm':
      return `${effect.type} ${effect.id} ${effect.entity}`;
  }
}

export class Unsaved {
  readonly #rows = new Map<string, SavedEffect>();
  #history: SavedEffect[] = [];
  /** History entries given up because the store failed for too long. */
  historyDropped = 0;

  get empty(): boolean {
    return this.#rows.size === 0 && this.#history.length === 0;
  }

  add(effects: readonly SavedEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'history') this.#history.push(effect);
      else {
        const key = rowKey(effect);
        // The order of the last writes is kept.
        this.#rows.delete(key);
        this.#rows.set(key, effect);
      }
    }
    const excess = this.#history.length - UNSAVED_HISTORY_MAX;
    if (excess > 0) {
      this.#history = this.#history.slice(excess);
      this.historyDropped += excess;
    }
  }

  /** A word is given anew: that an earlier one stands no more says nothing of this one. */
  wordGiven(): void {
    this.#rows.delete(rowKey({ type: 'persist.word' }));
  }

  all(): SavedEffect[] {
    return [...this.#rows.values(), ...this.#history];
  }

  clear(): void {
    this.#rows.clear();
    this.#history = [];
  }
}
