/**
 * One link's UDP socket. It opens by itself as soon as its address is there, and again after any error. With multicast
 * there are two: one in the group, which receives, and one at our own address, which sends, so that the peer can tell by the
 * source who speaks on which link. A socket that is bound to the group alone would send from whatever IPv6 address the
 * kernel prefers.
 *
 * Of dgram-as-promised only createSocket, bind, memberships and close are used: datagrams that come while nobody waits in its
 * `recv` are lost, its time-out breaks the next `send`, and a promise for every datagram is work for nobody. Sent and received
 * is by the raw socket.
 * test/integration/wire/library.test.ts pins these facts.
 */
import type { RemoteInfo, SocketOptions } from 'node:dgram';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import type { InterfaceDefinition } from '../../core/definitions/model.ts';
import { canonical, familyOf, interfaceWith, scoped, sought } from './address.ts';

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
/** The first tries follow each other sooner: a predecessor that was killed is gone within milliseconds. */
const REOPEN_SOON_MS = 10;
const SOON_TRIES = 5;
/** Datagrams that may wait in the process: a late heartbeat is worth less than none. */
const SEND_QUEUE_MAX = 8;
/** Heartbeats never leave the network they are sent into. */
const MULTICAST_HOPS = 1;

interface Sockets {
  readonly sender: SocketAsPromised;
  /** The sender itself, where there is no group. */
  readonly receiver: SocketAsPromised;
}

export class LinkSocket {
  readonly #endpoint: LinkEndpoint;
  readonly #handlers: LinkSocketHandlers;
  readonly #peer: string;
  #sockets: Sockets | null = null;
  /** Where to send: the peer or the group, with the interface where the address needs it. */
  #target = '';
  #retry: NodeJS.Timeout | null = null;
  /** In vain, one after another. */
  #tries = 0;
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
    return this.#sockets !== null;
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
    const sender = this.#sockets?.sender;
    if (sender === undefined) return this.#fail('closed');
    if (sender.socket.getSendQueueCount() >= SEND_QUEUE_MAX) return this.#fail('queue-full');
    sender.socket.send(datagram, this.#endpoint.peerPort, this.#target, (error) => {
      if (error === null) this.#sent += 1;
      else this.#fail(codeOf(error));
    });
  }

  async close(): Promise<void> {
    this.#generation += 1;
    const sockets = this.#sockets;
    this.#release(false);
    if (sockets !== null) await closeQuietly(sockets);
  }

  async #begin(generation: number): Promise<void> {
    const { address, peerAddress, multicast } = this.#endpoint;
    const interfaceName = interfaceWith(sought(address));
    // Not worth a try: what is on an interface that does not run can be bound, and says nothing then.
    if (interfaceName === null) return this.#wait(`address ${address} is not on this node`);
    const made: SocketAsPromised[] = [];
    let sockets: Sockets;
    try {
      sockets = await this.#open(interfaceName, made);
    } catch (error) {
      await Promise.all(made.map(closeOneQuietly));
      if (generation === this.#generation) this.#wait(openFault(this.#endpoint, error));
      return;
    }
    if (generation !== this.#generation) return closeQuietly(sockets);
    this.#sockets = sockets;
    this.#tries = 0;
    this.#target = scoped(multicast === '' ? peerAddress : multicast, interfaceName);
    this.#tell('');
  }

  /** `made` gets every socket as soon as it exists, so that it can be closed if a later step fails. */
  async #open(interfaceName: string, made: SocketAsPromised[]): Promise<Sockets> {
    const { address, port, multicast } = this.#endpoint;
    const sender = this.#create(false);
    made.push(sender);
    await sender.bind({ address: scoped(address, interfaceName), port, exclusive: true });
    if (multicast === '') {
      this.#listen(sender);
      return { sender, receiver: sender };
    }
    const through = familyOf(multicast) === 'udp6' ? `::%${interfaceName}` : address;
    sender.setMulticastInterface(through);
    sender.setMulticastTTL(MULTICAST_HOPS);
    sender.setMulticastLoopback(false);
    const receiver = this.#create(true);
    made.push(receiver);
    await receiver.bind({ address: scoped(multicast, interfaceName), port, exclusive: true });
    receiver.addMembership(multicast, through);
    this.#listen(receiver);
    return { sender, receiver };
  }

  #create(shared: boolean): SocketAsPromised {
    const type = familyOf(this.#endpoint.address);
    const options = { type, reuseAddr: shared, ipv6Only: type === 'udp6', lookup: noLookup } as const;
    const socket = DgramAsPromised.createSocket(options);
    socket.socket.on('error', (error) => {
      // Errors of an opening are answered where it waits for them.
      if (this.#sockets?.sender !== socket && this.#sockets?.receiver !== socket) return;
      this.#release();
      this.#wait(openFault(this.#endpoint, error));
    });
    return socket;
  }

  #listen(socket: SocketAsPromised): void {
    socket.socket.on('message', (bytes, from) => this.#receive(bytes, from));
  }

  #receive(bytes: Uint8Array, from: RemoteInfo): void {
    const isPeer = from.address === this.#peer || canonical(from.address) === this.#peer;
    if (!isPeer || from.port !== this.#endpoint.peerPort) {
      this.#handlers.wrongSource(from.address, from.port);
      return;
    }
    this.#received += 1;
    this.#handlers.datagram(bytes);
  }

  #wait(reason: string): void {
    this.#tell(reason);
    this.#tries += 1;
    this.#retry = setTimeout(() => this.open(), this.#tries > SOON_TRIES ? REOPEN_DELAY_MS : REOPEN_SOON_MS);
  }

  #tell(reason: string): void {
    if (this.#reason === reason) return;
    this.#reason = reason;
    this.#handlers.state(reason === '', reason);
  }

  #release(close = true): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#sockets !== null && close) void closeQuietly(this.#sockets);
    this.#sockets = null;
  }

  #fail(code: string): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }
}

/** Only addresses come here. Without this, every datagram would first go through the resolver. */
const noLookup: NonNullable<SocketOptions['lookup']> = (address, _options, done) =>
  done(null, address, address.includes(':') ? 6 : 4);

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

async function closeQuietly({ sender, receiver }: Sockets): Promise<void> {
  await Promise.all([...new Set([sender, receiver])].map(closeOneQuietly));
}

async function closeOneQuietly(socket: SocketAsPromised): Promise<void> {
  // An error is no news here: the socket was closed before, or never opened.
  await socket.close().catch(() => undefined);
}
