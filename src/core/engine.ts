import type { EngineEffect, EngineEvent, EngineOptions } from './engine-interface.ts';
import type { EngineView } from './view.ts';

export class Engine {
  constructor(options: EngineOptions, emit: (effect: EngineEffect) => void) {
    void options;
    void emit;
  }
  start(now: number): void {
    void now;
  }
  step(event: EngineEvent, now: number): void {
    void event;
    void now;
  }
  view(now: number): EngineView {
    void now;
    throw new Error('being written');
  }
}
