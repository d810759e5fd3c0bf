/** A machine that is not part of the domain and speaks in the name of one that is: a clone, or a wrong configuration. */
import { NO_LIFE, UNSIGNED_KEY_ID } from '../core/link/frame.ts';
import { type FrameHeader, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from '../core/link/types.ts';
import type { Prng } from './prng.ts';
import { CLUSTER_ID } from './watchdog.ts';
import type { World } from './world.ts';

export class Imposter {
  readonly #world: World;
  readonly #name: string;
  readonly #lives: Pick<FrameHeader, 'processLife' | 'kernelLife' | 'productUuid'>;
  #sequence = 0;

  constructor(world: World, name: string, rng: Prng) {
    this.#world = world;
    this.#name = name;
    this.#lives = { processLife: rng.hex(16), kernelLife: rng.hex(16), productUuid: rng.hex(16) };
  }

  /** A heartbeat on every link, to both nodes. */
  hello(): void {
    const { network, nodes, wire } = this.#world;
    this.#sequence += 1;
    for (const node of nodes) {
      for (const role of network.roles) {
        if (!node.carrier(role)) continue;
        const { deadIntervalMs, stopBoundMs } = node.definitions.domain;
        const header: FrameHeader = {
          ...this.#lives,
          version: PROTOCOL_VERSION_MIN,
          versionMin: PROTOCOL_VERSION_MIN,
          versionMax: PROTOCOL_VERSION,
          clusterId: CLUSTER_ID,
          sender: this.#name,
          receiver: node.name,
          interfaceRole: role,
          keyId: UNSIGNED_KEY_ID,
          echoLife: NO_LIFE,
          echoSequence: 0,
          sequence: this.#sequence,
          permissionMs: deadIntervalMs,
          stopBoundMs,
          managerDownMs: 0,
          linkBits: 0,
          reportVersion: 0,
          announceNumber: 0,
          leaving: false,
        };
        const frame = { header, part: 0, parts: 0, body: new Uint8Array(0) };
        node.watchdog.receive(role, wire === null ? frame : wire.seal(frame));
      }
    }
  }
}
