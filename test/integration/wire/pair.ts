/** Two wires on loopback addresses of their own, and waiting for what they tell. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InterfaceDefinition } from '../../../src/core/definitions/model.ts';
import type { InterfaceRole } from '../../../src/core/kernel/names.ts';
import type { Frame } from '../../../src/core/link/types.ts';
import { createKey, KeyRing } from '../../../src/shell/watchdog/keyring.ts';
import { clusterIdOf } from '../../../src/shell/watchdog/sign.ts';
import { Wire } from '../../../src/shell/watchdog/wire.ts';
import { sampleFrame } from '../../unit/link/arbitrary.ts';

export const DOMAIN = 'Controller';
export const ROLES = ['management-interface', 'oam-interface', 'cluster-host-interface'] as const;
export const PORT = 22_222;

/** Resolves when `condition` holds; looked at after every `changed`, never by sleeping. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  changed(): void {
    for (const look of this.#waiting) look();
  }

  async until(condition: () => boolean, what: string, limitMs = 5_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`not within ${limitMs} ms: ${what}`));
      }, limitMs);
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        clearTimeout(deadline);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}

/** An address of 127.0.0.0/8 that no other test has. */
export function loopback(): string {
  const [a, b, c] = randomBytes(3);
  return `127.${10 + (a! % 200)}.${b}.${1 + (c! % 254)}`;
}

export class Node {
  readonly signal = new Signal();
  readonly frames: { role: InterfaceRole; frame: Frame }[] = [];
  readonly duplicates: string[] = [];
  readonly links = new Map<InterfaceRole, string>();
  readonly logged: object[] = [];
  readonly life = randomBytes(16).toString('hex');
  readonly directory = mkdtempSync(join(tmpdir(), 'sm-wire-'));
  readonly name: string;
  readonly peer: string;
  readonly interfaces: readonly InterfaceDefinition[];
  readonly wire: Wire;
  #sequence = 0;

  constructor(name: string, peer: string, interfaces: readonly InterfaceDefinition[]) {
    this.name = name;
    this.peer = peer;
    this.interfaces = interfaces;
    const log = (fields: object) => void this.logged.push(fields);
    this.wire = new Wire(
      {
        domain: DOMAIN,
        node: name,
        peer,
        interfaces,
        processLife: this.life,
        keys: new KeyRing(this.directory),
        linkDownDetectMs: 100,
        now: () => performance.now(),
        log: { info: log, warn: log },
      },
      {
        frame: (role, frame) => {
          this.frames.push({ role, frame });
          this.signal.changed();
        },
        duplicate: (_role, life) => {
          this.duplicates.push(life);
          this.signal.changed();
        },
        link: (role, up, reason) => {
          this.links.set(role, up ? 'up' : reason);
          this.signal.changed();
        },
      },
    );
  }

  frame(role: InterfaceRole, change: Partial<Frame['header']> = {}): Frame {
    this.#sequence += 1;
    return sampleFrame({
      clusterId: clusterIdOf(DOMAIN),
      sender: this.name,
      receiver: this.peer,
      interfaceRole: role,
      processLife: this.life,
      sequence: this.#sequence,
      ...change,
    });
  }

  async up(): Promise<void> {
    this.wire.start();
    await this.signal.until(
      () => this.interfaces.every(({ role }) => this.links.get(role) === 'up'),
      `links of ${this.name} up`,
    );
  }

  heard(role: InterfaceRole): number {
    return this.frames.filter((entry) => entry.role === role).length;
  }

  dropped(role: InterfaceRole): Record<string, number> {
    const drops = this.wire.counters().drops.filter((drop) => drop.role === role);
    return Object.fromEntries(drops.map(({ cause, total }) => [cause, total]));
  }

  async end(): Promise<void> {
    await this.wire.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function definition(
  role: InterfaceRole,
  address: string,
  peerAddress: string,
  change: Partial<InterfaceDefinition> = {},
): InterfaceDefinition {
  return {
    role,
    pathType: 'primary',
    authType: 'hmac-sha512',
    authKey: 'pair',
    authKeyPrevious: '',
    networkType: address.includes(':') ? 'ipv6-udp' : 'ipv4-udp',
    multicast: '',
    address,
    port: PORT,
    peerAddress,
    peerPort: PORT,
    connectType: 'tor',
    weight: 1,
    ...change,
  };
}

export function keyFor(node: Node, name: string, copyTo?: Node): void {
  const made = createKey(node.directory, name);
  if (!made.ok) throw new Error(made.error.message);
  if (copyTo !== undefined) cpSync(join(node.directory, name), join(copyTo.directory, name));
}

/** Two nodes with three links, key `pair` on both; not started. */
export function pair(
  change: Partial<Record<InterfaceRole, Partial<InterfaceDefinition>>> = {},
): [Node, Node] {
  const one: InterfaceDefinition[] = [];
  const two: InterfaceDefinition[] = [];
  for (const role of ROLES) {
    const [a, b] = [loopback(), loopback()];
    one.push(definition(role, a, b, change[role]));
    two.push(definition(role, b, a, change[role]));
  }
  const nodes: [Node, Node] = [
    new Node('controller-0', 'controller-1', one),
    new Node('controller-1', 'controller-0', two),
  ];
  keyFor(nodes[0], 'pair', nodes[1]);
  return nodes;
}
