/**
 * What the audits of the fence devices have found out, and which of them may prove a death (docs/SAFETY.md, rule 16). Kept
 * in every process that has a part in a fencing: each may be the only one that is left of those that saw the audit. Pure.
 */

import type { FenceDeviceDefinition } from '../definitions/arbiter-model.ts';
import { STATE } from '../kernel/state.ts';
import type { Readiness } from './interface.ts';

export class FenceAudits {
  readonly #byDevice = new Map<string, Readiness>();
  readonly #slowestMs = new Map<string, number>();

  get [STATE]() {
    return {
      byDevice: this.#byDevice,
      slowestMs: this.#slowestMs,
    };
  }

  /** The newest of each device, with what earlier ones have found out. */
  get all(): readonly Readiness[] {
    return [...this.#byDevice.values()];
  }

  /** An audit that could not tell whose the device is leaves what the last one that could has found out. */
  note(readiness: Readiness): void {
    const before = this.#byDevice.get(readiness.arbiter);
    this.#byDevice.set(readiness.arbiter, before === undefined ? readiness : following(before, readiness));
    const { arbiter, ready, tookMs } = readiness;
    if (ready) this.#slowestMs.set(arbiter, Math.max(tookMs, this.#slowestMs.get(arbiter) ?? 0));
  }

  /** Of all audits that had an answer; null = none had. */
  slowestReadingMs(device: string): number | null {
    return this.#slowestMs.get(device) ?? null;
  }

  /** Devices that another process has seen tied to the peer; what is known here already counts more. */
  vouch(devices: readonly string[], now: number): void {
    for (const arbiter of devices) {
      const before = this.#byDevice.get(arbiter);
      if (before === undefined) {
        const told = { ready: true, cause: null, reason: '', checkedAt: now, tookMs: 0 } as const;
        this.#byDevice.set(arbiter, { ...told, arbiter, tie: 'tied' });
      } else if (before.tie === 'open') this.#byDevice.set(arbiter, { ...before, tie: 'tied' });
    }
  }

  /** Devices whose readings may prove the peer's death. */
  get tied(): readonly string[] {
    return this.all.filter(({ tie }) => tie === 'tied').map(({ arbiter }) => arbiter);
  }

  /** Why the readings of a device prove nothing; '' = they may. */
  doubt(device: string): string {
    const audit = this.#byDevice.get(device);
    if (audit?.tie === 'tied') return '';
    if (audit?.tie === 'foreign') return audit.reason;
    return `it was not seen to be on while the peer was heard${audit === undefined || audit.ready ? '' : `: ${audit.reason}`}`;
  }
}

function following(before: Readiness, readiness: Readiness): Readiness {
  if (readiness.tie !== 'open') return readiness;
  if (before.tie !== 'foreign') return { ...readiness, tie: before.tie ?? 'open' };
  // Whatever it answers by now: nobody knows whether what is wrong with it was mended.
  return { ...before, checkedAt: readiness.checkedAt, tookMs: readiness.tookMs };
}

type Levels = readonly (readonly FenceDeviceDefinition[])[];

/** The devices that have the power of a node, by level, in the order in which they are tried. */
export function levelsOf(devices: readonly FenceDeviceDefinition[], node: string): Levels {
  const own = devices.filter((device) => device.node === node);
  const numbers = [...new Set(own.map(({ level }) => level))].sort((a, b) => a - b);
  return numbers.map((number) => own.filter(({ level }) => level === number));
}

/**
 * Those that may be used, and why others may not. A level is left out as a whole: all its devices have to be off, and one
 * that has the power of another machine must not be shot at.
 */
export function usableLevels(
  all: Levels,
  audits: FenceAudits,
): { readonly levels: Levels; readonly doubts: readonly string[] } {
  const doubts = all.flat().flatMap(({ name }) => {
    const doubt = audits.doubt(name);
    return doubt === '' ? [] : [`${name}: ${doubt}`];
  });
  return { levels: all.filter((level) => level.every(({ name }) => audits.doubt(name) === '')), doubts };
}

/** Why a node can not be fenced when no level may be used. */
export function withoutDevice(node: string, doubts: readonly string[]): string {
  if (doubts.length === 0) return `no fence device is configured for ${node}`;
  return `no fence device is known to be ${node}'s: ${doubts.join('; ')}`;
}
