/** Fences the peer with its real devices, and audits them before they are needed. */
import { type FenceEffect, type FenceResult, Fencing } from '../../core/arbiter/fence.ts';
import { deviceReadiness } from '../../core/arbiter/fence-rules.ts';
import type { Readiness } from '../../core/arbiter/interface.ts';
import type { FenceDeviceDefinition, FencingDefinition } from '../../core/definitions/arbiter-model.ts';
import type { Time } from '../ports.ts';
import { TimerTable } from '../timer-table.ts';
import { FenceDevice } from './fence-device.ts';
import { readSecret, type SecretPlace } from './secret.ts';

export interface FenceRunnerOptions {
  readonly target: string;
  readonly fencing: FencingDefinition;
  readonly agentsDirectory: string;
  readonly secrets: SecretPlace;
  readonly time: Time;
}

interface Fenced {
  readonly definition: FenceDeviceDefinition;
  readonly device: FenceDevice;
}

export class FenceRunner {
  readonly #options: FenceRunnerOptions;
  readonly #devices: ReadonlyMap<string, Fenced>;
  #running: { readonly fencing: Fencing; readonly timers: TimerTable } | null = null;

  constructor(options: FenceRunnerOptions) {
    this.#options = options;
    const { agentsDirectory, secrets, time, target } = options;
    const own = options.fencing.devices.filter(({ node }) => node === target);
    this.#devices = new Map(
      own.map((definition) => {
        const device = new FenceDevice({
          name: definition.name,
          agent: `${agentsDirectory}/${definition.agent}`,
          parameters: new Map(definition.parameters),
          secrets: new Map(
            definition.secrets.map(([name, reference]) => [name, () => readSecret(reference, secrets)]),
          ),
          now: time.now,
        });
        return [definition.name, { definition, device }];
      }),
    );
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  /** Calls `done` once. Nothing happens while one runs already. */
  fence(delayMs: number, done: (result: FenceResult) => void): void {
    if (this.#running !== null) return;
    const { time, fencing: rules, target } = this.#options;
    const definitions = [...this.#devices.values()].map(({ definition }) => definition);
    const levels = [...new Set(definitions.map(({ level }) => level))].sort((a, b) => a - b);
    const longest = (of: (definition: FenceDeviceDefinition) => number): number =>
      Math.max(0, ...definitions.map(of));
    const fencing: Fencing = new Fencing(
      {
        node: target,
        levels: levels.map((level) =>
          definitions.filter((each) => each.level === level).map(({ name }) => name),
        ),
        statusLimitMs: longest(({ statusLimitMs }) => statusLimitMs),
        offLimitMs: longest(({ offLimitMs }) => offLimitMs),
        verifyLimitMs: longest(({ verifyLimitMs }) => verifyLimitMs),
        gapMs: rules.verifyGapMs,
      },
      (effect) => this.#perform(effect, fencing, timers, done),
    );
    const timers: TimerTable = new TimerTable(time, () => {
      for (const timer of timers.takeDue(time.now())) fencing.step(timer, time.now());
      timers.arm();
    });
    this.#running = { fencing, timers };
    fencing.start(delayMs, time.now());
    timers.arm();
  }

  /** A frame of the peer: before the first shot it ends the run. */
  alive(): void {
    this.#running?.fencing.step({ type: 'alive' }, this.#options.time.now());
    this.#running?.timers.arm();
  }

  /** Starts the peer again, after its death is proven and used. */
  async powerOn(): Promise<void> {
    for (const { definition, device } of this.#devices.values())
      await device.power('on', definition.offLimitMs);
  }

  /** Whether each device could be used now. `peer` null = not heard: what it reads then says nothing about whose it is. */
  async audit(productUuid: string | null): Promise<readonly Readiness[]> {
    const { target, time } = this.#options;
    const peer = productUuid === null ? null : { node: target, productUuid };
    return Promise.all(
      [...this.#devices.values()].map(async ({ definition, device }) => {
        const checkedAt = time.now();
        const faults = await device.faults();
        if (faults.length > 0) {
          const reason = faults.join('; ');
          return {
            arbiter: device.name,
            ready: false,
            cause: 'refused' as const,
            reason,
            checkedAt,
            tookMs: 0,
          };
        }
        const power = await device.power('status', definition.statusLimitMs);
        const identity = peer === null ? null : await device.identity(definition.statusLimitMs);
        return deviceReadiness({ device: device.name, power, identity, peer });
      }),
    );
  }

  #perform(
    effect: FenceEffect,
    fencing: Fencing,
    timers: TimerTable,
    done: (result: FenceResult) => void,
  ): void {
    switch (effect.type) {
      case 'timer':
        return timers.apply(effect);
      case 'result':
        this.#running = null;
        timers.stop();
        return done(effect.result);
      case 'power': {
        const found = this.#devices.get(effect.device);
        const { request, action, limitMs } = effect;
        void found?.device.power(action, limitMs).then((answer) => {
          fencing.step({ type: 'answer', request, answer }, this.#options.time.now());
          timers.arm();
        });
      }
    }
  }
}
