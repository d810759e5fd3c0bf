/**
 * Changes of state as they happen, as server-sent events (WHATWG HTML, "Server-sent events"): one event for each row of the
 * history, with its id, so that a client goes on with Last-Event-ID where it was cut off. Nothing is kept for a client that
 * does not read: the history waits in the database, and who reads nothing for too long is sent away, with the reason.
 */
import type { ServerResponse } from 'node:http';
import type { Rows } from '../shell/store/live-reader.ts';
import { type Change, changesAfter, newestChange } from './history.ts';

export const CLIENTS_MAX = 1000;
/** Changes written at once: at most so many wait for a client, about 150 KiB. */
const BATCH = 500;
/** A client that takes nothing for so long is sent away, ms. */
export const UNREAD_MS_MAX = 10_000;
/** A line without meaning, so that both ends and what is between them see that the connection lives, ms. */
const KEEP_ALIVE_MS = 15_000;
/** While `sm` tells nothing by itself, the history is looked at so often, ms. */
const LOOK_MS = 1000;

interface Client {
  readonly response: ServerResponse;
  lastId: number;
  /** Since when what was written waits for it, monotonic ms; null = it has taken everything. */
  blockedSince: number | null;
}

export interface StreamPorts {
  readonly read: <T>(work: (rows: Rows) => T) => T;
  readonly dropped: (reason: string) => void;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly unreadMsMax: number;
}

export class Stream {
  readonly #ports: StreamPorts;
  readonly #clients = new Set<Client>();
  readonly #timers: NodeJS.Timeout[];
  #scheduled = false;

  constructor(ports: StreamPorts) {
    this.#ports = ports;
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  /**
   * Where a client goes on. Throws what reading throws.
   * @param lastId the last event that the client has; null = it wants only what comes.
   */
  startOf(lastId: number | null): number {
    const newest = this.#ports.read(newestChange);
    // An id of another database, or from before it was made anew, is in the future: the client starts with what comes.
    return lastId === null || lastId > newest ? newest : lastId;
  }

  /** @param from the client has everything up to this event */
  add(response: ServerResponse, from: number): void {
    const client: Client = { response, lastId: from, blockedSince: null };
    this.#clients.add(client);
    response.on('close', () => this.#clients.delete(client));
    response.on('drain', () => {
      client.blockedSince = null;
      this.wake();
    });
    response.write(`retry: 1000\nid: ${from}\nevent: hello\ndata: {"lastEventId":${from}}\n\n`);
    this.wake();
  }

  /** Something may have changed. However often it is called, the database is read once. */
  wake(): void {
    if (this.#scheduled || this.#clients.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { response } of this.#clients) response.end();
    this.#clients.clear();
  }

  #look(): void {
    const now = this.#ports.now();
    for (const client of this.#clients) {
      const { blockedSince } = client;
      if (blockedSince !== null && now - blockedSince > this.#ports.unreadMsMax) this.#drop(client);
    }
    this.wake();
  }

  #send(): void {
    const ready = [...this.#clients].filter(({ blockedSince }) => blockedSince === null);
    if (ready.length === 0) return;
    const oldest = ready.reduce((least, { lastId }) => Math.min(least, lastId), Number.POSITIVE_INFINITY);
    let changes: readonly Change[];
    try {
      changes = this.#ports.read((rows) => changesAfter(rows, oldest, BATCH));
    } catch {
      // The store is away: the next look finds it again.
      return;
    }
    if (changes.length === 0) return;
    const lines = changes.map((change) => ({
      id: change.id,
      text: `id: ${change.id}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`,
    }));
    for (const client of ready) this.#sendTo(client, lines);
    if (changes.length === BATCH) this.wake();
  }

  #sendTo(client: Client, lines: readonly { readonly id: number; readonly text: string }[]): void {
    const news = lines.filter(({ id }) => id > client.lastId);
    const last = news.at(-1);
    if (last === undefined) return;
    client.lastId = last.id;
    if (!client.response.write(news.map(({ text }) => text).join('')))
      client.blockedSince = this.#ports.now();
  }

  #drop(client: Client): void {
    const reason = `it has read nothing for ${this.#ports.unreadMsMax} ms`;
    this.#ports.dropped(reason);
    this.#clients.delete(client);
    // It may still read this one day; the connection ends in any case.
    client.response.end(
      `event: dropped\ndata: ${JSON.stringify({ reason, lastEventId: client.lastId })}\n\n`,
    );
    client.response.socket?.destroySoon();
  }

  #keepAlive(): void {
    for (const { response, blockedSince } of this.#clients)
      if (blockedSince === null) response.write(': alive\n\n');
  }
}
