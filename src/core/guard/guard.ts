import type { GuardEffect, GuardEvent, GuardOptions, GuardView } from './interface.ts';

export class Guard {
  constructor(options: GuardOptions, emit: (effect: GuardEffect) => void) {
    void options;
    void emit;
  }
  start(now: number): void {
    void now;
  }
  step(event: GuardEvent, now: number): void {
    void event;
    void now;
  }
  view(): GuardView {
    throw new Error('being written');
  }
}
