/**
 * One link's UDP socket. It opens by itself as soon as its address is there, and again after any error.
 *
 * Of dgram-as-promised only createSocket, bind, memberships, send and close are used: datagrams that come while nobody
 * waits in its `recv` are lost, and its time-out breaks the next `send`. Received is by the event of the raw socket.
 * test/integration/wire/library.test.ts pins these facts.
 */
import type { RemoteInfo } from 'node:dgram';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import type { InterfaceDefinition } from '../../core/definitions/model.ts';
import { canonical, familyOf, interfaceWith, scoped } from './address.ts';

/** From the definitions. `multicast`: a group of this link alone, or '' for datagrams to the peer's address. */
export type LinkEndpoint = Pick<
  InterfaceDefinition,
  'role' | 'address' | 'port' | 'peerAddress' | 'peerPort' | 'multicast'
>;

export interface LinkSocketHandlers {
  /** From the peer's address and port; anybody can write these into a datagram. */
  readonly datagram: (bytes: Uint8Array) => void;
  /** From elsewhere. */
  readonly wrongSource: (address: string, port: number) => void;
  /** Told on every change, with the reason why the socket is closed. */
  readonly state: (open: boolean, reason: string) => void;
}

export interface LinkSocketCounters {
  readonly sent: number;
  readonly received: number;
  /** By error code of the system; `closed` and `queue-full` are ours. */
  readonly failed: Readonly<Record<string, number>>;
}

const REOPEN_DELAY_MS = 200;
/** Datagrams that may wait in the process: a late heartbeat is worth less than none. */
const SEND_QUEUE_MAX = 8;
/** Heartbeats never leave the network they are sent into. */
const MULTICAST_HOPS = 1;

export class LinkSocket {
  readonly #endpoint: LinkEndpoint;
  readonly #handlers: LinkSocketHandlers;
  readonly #peer: string;
  #socket: SocketAsPromised | null = null;
  /** Where to send: the peer or the group, with the interface where the address needs it. */
  #target = '';
  #retry: NodeJS.Timeout | null = null;
  #reason: string | null = null;
  /** What an opening was begun with: a newer one makes the older one's result void. */
  #generation = 0;
  #sent = 0;
  #received = 0;
  readonly #failed: Record<string, number> = {};

  constructor(endpoint: LinkEndpoint, handlers: LinkSocketHandlers) {
    this.#endpoint = endpoint;
    this.#handlers = handlers;
    this.#peer = canonical(endpoint.peerAddress);
  }

  get isOpen(): boolean {
    return this.#socket !== null;
  }

  get counters(): LinkSocketCounters {
    return { sent: this.#sent, received: this.#received, failed: { ...this.#failed } };
  }

  /** Opens the socket now, or as soon as it is possible; an open one is closed first (its interface was made anew). */
  open(): void {
    this.#generation += 1;
    this.#release();
    void this.#begin(this.#generation);
  }

  /** Errors are counted, never thrown: a link that is down is no exception. */
  send(datagram: Uint8Array): void {
    const socket = this.#socket;
    if (socket === null) return this.#fail('closed');
    if (socket.socket.getSendQueueCount() >= SEND_QUEUE_MAX) return this.#fail('queue-full');
    const { multicast, port, peerPort } = this.#endpoint;
    socket.send(datagram, multicast === '' ? peerPort : port, this.#target).then(
      () => {
        this.#sent += 1;
      },
      (error: unknown) => this.#fail(codeOf(error)),
    );
  }

  async close(): Promise<void> {
    this.#generation += 1;
    const socket = this.#socket;
    this.#release(false);
    if (socket !== null) await closeQuietly(socket);
  }

  async #begin(generation: number): Promise<void> {
    const { address, port, multicast } = this.#endpoint;
    const interfaceName = interfaceWith(address);
    let socket: SocketAsPromised | null = null;
    try {
      socket = this.#create();
      const own = scoped(address, interfaceName);
      const group = scoped(multicast, interfaceName);
      await socket.bind({ address: multicast === '' ? own : group, port, exclusive: true });
      if (multicast !== '') join(socket, multicast, address, interfaceName);
    } catch (error) {
      if (socket !== null) await closeQuietly(socket);
      if (generation === this.#generation) this.#wait(openFault(this.#endpoint, error));
      return;
    }
    if (generation !== this.#generation) return closeQuietly(socket);
    this.#socket = socket;
    this.#target = scoped(multicast === '' ? this.#endpoint.peerAddress : multicast, interfaceName);
    this.#tell('');
  }

  #create(): SocketAsPromised {
    const { address, multicast } = this.#endpoint;
    const type = familyOf(address);
    const socket = DgramAsPromised.createSocket({
      type,
      reuseAddr: multicast !== '',
      ipv6Only: type === 'udp6',
    });
    socket.socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.socket.on('error', (error) => {
      // Errors of an opening are answered where it waits for them.
      if (this.#socket !== socket) return;
      this.#release();
      this.#wait(openFault(this.#endpoint, error));
    });
    return socket;
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    if (canonical(from.address) !== this.#peer || from.port !== this.#endpoint.peerPort) {
      this.#handlers.wrongSource(from.address, from.port);
      return;
    }
    this.#received += 1;
    this.#handlers.datagram(bytes);
  }

  #wait(reason: string): void {
    this.#tell(reason);
    this.#retry = setTimeout(() => this.open(), REOPEN_DELAY_MS);
  }

  #tell(reason: string): void {
    if (this.#reason === reason) return;
    this.#reason = reason;
    this.#handlers.state(reason === '', reason);
  }

  #release(close = true): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#socket !== null && close) void closeQuietly(this.#socket);
    this.#socket = null;
  }

  #fail(code: string): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }
}

function join(socket: SocketAsPromised, group: string, address: string, interfaceName: string | null): void {
  const through = familyOf(group) === 'udp6' ? `::%${interfaceName ?? 'lo'}` : address;
  socket.setMulticastInterface(through);
  socket.setMulticastTTL(MULTICAST_HOPS);
  socket.setMulticastLoopback(false);
  socket.addMembership(group, through);
}

function openFault({ address, port }: LinkEndpoint, error: unknown): string {
  const code = codeOf(error);
  if (code === 'EADDRNOTAVAIL') return `address ${address} is not on this node`;
  if (code === 'EADDRINUSE') return `another program uses ${address} port ${port}`;
  if (code === 'EACCES') return `no permission to use port ${port}: ports below 1024 need root`;
  return `${address} port ${port}: ${error instanceof Error ? error.message : String(error)}`;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

async function closeQuietly(socket: SocketAsPromised): Promise<void> {
  // An error is no news here: the socket was closed before, or never opened.
  await socket.close().catch(() => undefined);
}
