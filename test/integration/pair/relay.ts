/**
 * Somebody in the middle: each node's peer address is the relay's, which hands datagrams on, keeps a copy, and can send
 * anything to a node from just the address and port that the node expects its peer at. No privileges are needed for it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressOf, ROLES, type Site, SMALL_SITE } from './node.ts';

const PORT = 2222;
/** Datagrams kept per link and sender, the newest. */
const KEPT = 400;

function relayAddress(base: number, link: number, node: number): string {
  return addressOf(base, link, 5 + node);
}

/** The small site with the relay between its nodes. */
export const RELAYED_SITE: Site = {
  ...SMALL_SITE,
  install: (directory, index, base, deadMs) => {
    SMALL_SITE.install(directory, index, base, deadMs);
    const updates = ROLES.map(
      (
        role,
        link,
      ) => `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_PEER_ADDRESS = '${relayAddress(base, link, index)}'
        WHERE SERVICE_DOMAIN_INTERFACE = '${role}';`,
    );
    writeFileSync(join(directory, 'definitions', '20-relay.sql'), updates.join('\n'));
  },
};

export class Relay {
  readonly #base: number;
  readonly #sockets = new Map<string, Socket>();
  readonly #copies = new Map<string, Uint8Array[]>();

  private constructor(base: number) {
    this.#base = base;
  }

  static async start(base: number): Promise<Relay> {
    const relay = new Relay(base);
    for (const link of ROLES.keys()) {
      for (const node of [0, 1]) await relay.#open(link, node);
    }
    return relay;
  }

  /** What this node sent on this link, oldest first. */
  copies(link: number, node: number): readonly Uint8Array[] {
    return this.#copies.get(`${link} ${node}`) ?? [];
  }

  /** Sends to the node as if its peer had done it. */
  async inject(link: number, node: number, datagrams: readonly Uint8Array[]): Promise<void> {
    const socket = this.#sockets.get(`${link} ${node}`);
    if (socket !== undefined) await this.#send(socket, link, node, datagrams);
  }

  /** The same from a port that is not the peer's. */
  async injectFromElsewhere(link: number, node: number, datagrams: readonly Uint8Array[]): Promise<void> {
    const socket = createSocket('udp4').bind(0, relayAddress(this.#base, link, node));
    await once(socket, 'listening');
    await this.#send(socket, link, node, datagrams);
    socket.close();
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  async #open(link: number, node: number): Promise<void> {
    const key = `${link} ${node}`;
    const socket = createSocket('udp4');
    this.#sockets.set(key, socket);
    this.#copies.set(key, []);
    socket.on('message', (bytes) => {
      const copies = this.#copies.get(key) ?? [];
      copies.push(bytes);
      if (copies.length > KEPT) copies.shift();
      this.#sockets.get(`${link} ${1 - node}`)?.send(bytes, PORT, addressOf(this.#base, link, 1 - node));
    });
    socket.bind(PORT, relayAddress(this.#base, link, node));
    await once(socket, 'listening');
  }

  /** One after the other, so that what is lost is lost by the receiver. */
  async #send(socket: Socket, link: number, node: number, datagrams: readonly Uint8Array[]): Promise<void> {
    const address = addressOf(this.#base, link, node);
    for (const bytes of datagrams) {
      await new Promise<void>((resolve) => socket.send(bytes, PORT, address, () => resolve()));
    }
  }
}
