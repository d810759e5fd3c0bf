/**
 * The links between the two nodes: each direction of each loses, delays, duplicates and reorders on its own and can be
 * cut on its own; each end has its own carrier.
 */

import { INTERFACE_ROLES, type InterfaceRole } from '../core/kernel/names.ts';
import type { Admission, LinkExpectations } from '../core/link/admission.ts';
import type { ReplayGuard } from '../core/link/replay.ts';
import type { Frame } from '../core/link/types.ts';
import type { Prng } from './prng.ts';
import type { World } from './world.ts';

const LATE_COPY_MS_MAX = 5000;
/** Less than any stop bound. */
const PROMPT_MS_MAX = 100;

/** Real bytes on the wire, with or without a signature; without one in the world, frames travel as objects. */
export interface Wire {
  seal(frame: Frame): Uint8Array;
  open(datagram: Uint8Array, expected: LinkExpectations, replay: ReplayGuard): Admission;
}

interface Direction {
  cuts: number;
  lossExtra: number;
  /** A switch with full buffers: everything comes, late and in order. */
  delayExtraMs: number;
}

export class Network {
  readonly roles: readonly InterfaceRole[];
  readonly #world: World;
  readonly #rng: Prng;
  /** By link, then by sender. */
  readonly #directions = new Map<InterfaceRole, readonly [Direction, Direction]>();
  /** The key of each end of a link where it is not the common one. */
  readonly #keys = new Map<InterfaceRole, readonly [string, string]>();
  /** Gateways, by link and end. */
  readonly #unreached = new Map<string, number>();
  /** Time until which a part of the network counts as having been cut (see `separable`). */
  #cutUntil = Number.NEGATIVE_INFINITY;
  #lossless = false;
  /** When a part of a report of each node arrived last. */
  readonly #reportedAt = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  sent = 0;
  delivered = 0;

  constructor(world: World, rng: Prng) {
    this.#world = world;
    this.#rng = rng;
    this.roles = INTERFACE_ROLES.slice(0, world.options.links);
  }

  direction(role: InterfaceRole, from: number): Direction {
    const ways = this.#directions.get(role) ?? [freeWay(), freeWay()];
    this.#directions.set(role, ways);
    return from === 0 ? ways[0] : ways[1];
  }

  cut(role: InterfaceRole, from: number): void {
    this.direction(role, from).cuts += 1;
  }

  heal(role: InterfaceRole, from: number): void {
    const direction = this.direction(role, from);
    if (direction.cuts === 0) return;
    direction.cuts -= 1;
    this.#cutUntil = this.#world.now;
  }

  /** The switch port behind this end: neither the peer nor the gateway is reached, and the carrier stands. */
  isolate(role: InterfaceRole, index: number, by: 1 | -1): void {
    this.gatewayFault(role, index, by);
    for (const from of [0, 1])
      if (by > 0) this.cut(role, from);
      else this.heal(role, from);
  }

  /** From this end it is not reached. */
  gatewayFault(role: InterfaceRole, index: number, by: 1 | -1): void {
    const key = `${role}/${index}`;
    this.#unreached.set(key, Math.max(0, (this.#unreached.get(key) ?? 0) + by));
  }

  reachesGateway(role: InterfaceRole, index: number): boolean {
    const isCut = (this.#unreached.get(`${role}/${index}`) ?? 0) > 0;
    return !isCut && this.#world.nodes[index]?.carrier(role) === true;
  }

  /** Full buffers: every frame of this direction is so much later. */
  delay(role: InterfaceRole, from: number, extraMs: number): void {
    const direction = this.direction(role, from);
    if (isCut(direction)) this.#cutUntil = this.#world.now;
    direction.delayExtraMs = extraMs;
  }

  /** A bad cable: this share of the frames of this direction is lost, beside those that any link loses. */
  lose(role: InterfaceRole, from: number, share: number): void {
    const direction = this.direction(role, from);
    if (isCut(direction)) this.#cutUntil = this.#world.now;
    direction.lossExtra = share;
  }

  /** From here on nothing is lost: three lost hellos in a row are a fault too. */
  healAll(): void {
    this.#lossless = true;
    this.#unreached.clear();
    for (const direction of [...this.#directions.values()].flat()) {
      direction.cuts = 0;
      direction.lossExtra = 0;
      direction.delayExtraMs = 0;
    }
    this.#cutUntil = this.#world.now;
  }

  /** The node signs and checks with this key on the link from now on. */
  setKey(role: InterfaceRole, node: number, key: string): void {
    const [first, second] = this.#keys.get(role) ?? ['', ''];
    this.#keys.set(role, node === 0 ? [key, second] : [first, key]);
  }

  /** A frame that is signed with another key than the receiver's touches nothing there (core/link/admission.ts). */
  #fits(role: InterfaceRole): boolean {
    const [first, second] = this.#keys.get(role) ?? ['', ''];
    return first === second;
  }

  /** When the other node last got something of a report of this one. */
  reportedAt(from: number): number {
    return this.#reportedAt[from] ?? Number.NEGATIVE_INFINITY;
  }

  /** A frame could pass this way now. */
  passes(role: InterfaceRole, from: number): boolean {
    const { nodes } = this.#world;
    if (nodes.length < 2) return false;
    const up = nodes.every((node) => node.carrier(role)) && this.#fits(role);
    return up && !isCut(this.direction(role, from));
  }

  /** True if some frame can pass in some direction. */
  connected(): boolean {
    return this.roles.some((role) => this.passes(role, 0) || this.passes(role, 1));
  }

  /**
   * Nothing in the middle is cut, nor was it during the last `quietMs`: if the nodes are apart, it is by a carrier that
   * is down at one's own end, which that node can see.
   */
  middleWhole(quietMs: number): boolean {
    if (this.#world.now - this.#cutUntil < quietMs) return false;
    return this.roles.every((role) => !isCut(this.direction(role, 0)) && !isCut(this.direction(role, 1)));
  }

  send(from: number, role: InterfaceRole, frame: Frame): void {
    const world = this.#world;
    const receiver = world.nodes[1 - from];
    if (receiver === undefined || !world.nodes[from]?.carrier(role)) return;
    this.sent += 1;
    const { cuts, lossExtra, delayExtraMs } = this.direction(role, from);
    const { loss, delayMinMs, delayMaxMs, duplication, lateDuplication } = world.options.network;
    const rng = this.#rng;
    if (cuts > 0 || (!this.#lossless && rng.float() < loss + lossExtra)) return;
    const packet = world.wire === null ? frame : world.wire.seal(frame);
    const arrive = () => {
      if (!receiver.carrier(role) || !this.#fits(role)) return;
      this.delivered += 1;
      if (frame.parts > 0 && receiver.watchdog.alive) this.#reportedAt[from] = world.now;
      receiver.watchdog.receive(role, packet);
    };
    world.after(delayExtraMs + rng.between(delayMinMs, delayMaxMs), arrive);
    if (duplication > 0 && rng.float() < duplication)
      world.after(rng.between(delayMinMs, 3 * delayMaxMs), arrive);
    if (lateDuplication > 0 && rng.float() < lateDuplication)
      world.after(rng.between(100, LATE_COPY_MS_MAX), arrive);
  }
}

function freeWay(): Direction {
  return { cuts: 0, lossExtra: 0, delayExtraMs: 0 };
}

/** A word that comes after the stop bound of who waits for it is no word, nor one that is lost as often as it is said. */
function isCut({ cuts, lossExtra, delayExtraMs }: Direction): boolean {
  return cuts > 0 || lossExtra > 0 || delayExtraMs > PROMPT_MS_MAX;
}
