/** What happens next: a binary heap ordered by time, and by order of arrival where times are equal. */
export interface Scheduled {
  readonly at: number;
  readonly order: number;
  /** null = cancelled. */
  run: (() => void) | null;
}

export class EventQueue {
  readonly #heap: Scheduled[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  push(at: number, run: () => void): Scheduled {
    const item: Scheduled = { at, order: this.#order++, run };
    const heap = this.#heap;
    heap.push(item);
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (before(heap[parent] as Scheduled, item)) break;
      heap[i] = heap[parent] as Scheduled;
      i = parent;
    }
    heap[i] = item;
    return item;
  }

  /** The earliest item that is due at `until` or before; cancelled ones are dropped on the way. */
  pop(until: number): Scheduled | null {
    const heap = this.#heap;
    for (;;) {
      const top = heap[0];
      if (top === undefined || (top.at > until && top.run !== null)) return null;
      this.#removeTop();
      if (top.run !== null) return top;
    }
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Scheduled, heap[child] as Scheduled))
        child += 1;
      if (before(last, heap[child] as Scheduled)) break;
      heap[i] = heap[child] as Scheduled;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
