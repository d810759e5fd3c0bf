/** Fences the peer with its real devices, and audits them before they are needed. */
import { type FenceEffect, type FenceResult, Fencing } from '../../core/arbiter/fence.ts';
import { FenceAudits, levelsOf, usableLevels } from '../../core/arbiter/fence-audits.ts';
import { deviceReadiness } from '../../core/arbiter/fence-rules.ts';
import type { Readiness } from '../../core/arbiter/interface.ts';
import type { ShotWindow } from '../../core/arbiter/shot-window.ts';
import type { FenceDeviceDefinition, FencingDefinition } from '../../core/definitions/arbiter-model.ts';
import type { Time } from '../ports.ts';
import { TimerTable } from '../timer-table.ts';
import { FenceDevice } from './fence-device.ts';
import { readSecret, type SecretPlace } from './secret.ts';

export interface FenceRunnerOptions {
  readonly target: string;
  readonly fencing: FencingDefinition;
  /** After this a peer that has lost its power is known not to be heard, ms. */
  readonly silenceMs: number;
  /** Of the peer while it is heard; null = it is not. */
  readonly heardUuid: () => string | null;
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
  readonly #audits = new FenceAudits();
  /** Proven off, and may be switched on again when the peer is replaced. */
  #proven: readonly FenceDeviceDefinition[] = [];
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

  /** Some device has not been tied to the peer yet. */
  get isOpen(): boolean {
    return this.#audits.tied.length < this.#devices.size;
  }

  /** Every device could be used when it was last looked at. */
  get isReady(): boolean {
    return this.#audits.all.every(({ ready }) => ready);
  }

  /**
   * Calls `done` once. Nothing happens while one runs already. `tied`: devices that an audit before our time has tied to the
   * peer.
   */
  fence(window: ShotWindow | null, tied: readonly string[], done: (result: FenceResult) => void): void {
    if (this.#running !== null) return;
    const { time, fencing: rules, target } = this.#options;
    this.#audits.vouch(tied, time.now());
    const { levels, doubts } = usableLevels(levelsOf(rules.devices, target), this.#audits);
    this.#proven = [];
    const fenced = { node: target, levels, doubts, gapMs: rules.verifyGapMs };
    const fencing: Fencing = new Fencing(fenced, (effect) =>
      this.#perform(effect, fencing, timers, (result) => {
        if (result.provenAt !== null) this.#proven = levels.flat();
        done(result);
      }),
    );
    const timers: TimerTable = new TimerTable(time, () => {
      for (const timer of timers.takeDue(time.now())) fencing.step(timer, time.now());
      timers.arm();
    });
    this.#running = { fencing, timers };
    fencing.start(window, time.now());
    timers.arm();
  }

  /** A frame of the peer: before the first shot it ends the run. */
  alive(): void {
    this.#running?.fencing.step({ type: 'alive' }, this.#options.time.now());
    this.#running?.timers.arm();
  }

  /** Starts the peer again, if it was fenced: once, and by the devices that were used. */
  async powerOn(): Promise<void> {
    const proven = this.#proven;
    this.#proven = [];
    for (const { name, offLimitMs } of proven) await this.#devices.get(name)?.device.power('on', offLimitMs);
  }

  /** Whether each device could be used now, and whether it is the peer's, which shows only while the peer is heard. */
  async audit(): Promise<readonly Readiness[]> {
    const all = await Promise.all([...this.#devices.values()].map((fenced) => this.#auditOf(fenced)));
    for (const readiness of all) this.#audits.note(readiness);
    return all;
  }

  async #auditOf({ definition, device }: Fenced): Promise<Readiness> {
    const { target, time, heardUuid, silenceMs } = this.#options;
    const checkedAt = time.now();
    const faults = await device.faults();
    if (faults.length > 0) {
      const told = { ready: false, cause: 'refused', checkedAt, tookMs: 0, tie: 'open' } as const;
      return { ...told, arbiter: device.name, reason: faults.join('; ') };
    }
    const productUuid = heardUuid();
    const power = await device.power('status', definition.statusLimitMs);
    const identity = productUuid === null ? null : await device.identity(definition.statusLimitMs);
    // It may have lost its power a moment before it was read: then it is not heard any more by the end of this.
    if (productUuid !== null && power.kind === 'known' && power.value === 'off')
      await new Promise<void>((resolve) => void time.after(silenceMs, resolve));
    const peer = productUuid === null || heardUuid() !== productUuid ? null : { node: target, productUuid };
    return deviceReadiness({ device: device.name, power, identity: peer === null ? null : identity, peer });
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
