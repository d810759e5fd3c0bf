/**
 * Changes of state as they happen, as server-sent events (WHATWG HTML, "Server-sent events"): one event for each row of the
 * history, with its id, so that a client goes on with Last-Event-ID where it was cut off. Nothing is kept for a client that
 * does not read: the history waits in the database, and who reads nothing for too long is sent away, with the reason.
 */
import type { ServerResponse } from 'node:http';
import type { Rows } from '../shell/store/live-reader.ts';
import { type Change, changesAfter, newestChange } from './history.ts';

export const CLIENTS_MAX = 1000;
/**
 * Changes written at once, and the history is cut at multiples of it: clients that lag behind share what is read and sent.
 * At most so many wait for a client, about 20 KiB.
 */
const PAGE = 100;
/** So many different places of the history are read in one turn: other callers wait for no more. */
const PLACES_MAX = 16;
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
  readonly mayRead: () => Promise<boolean>;
}

/** Changes as they are sent: the same bytes to everybody. */
interface Page {
  readonly lastId: number;
  readonly bytes: Buffer;
}

function pageOf(changes: readonly Change[], after: number): Page {
  const text = changes
    .map((change) => `id: ${change.id}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`)
    .join('');
  return { lastId: changes.at(-1)?.id ?? after, bytes: Buffer.from(text) };
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

  /**
   * @param from the client has everything up to this event
   * @param mayRead asked now and then: a credential may end while it is used
   */
  add(response: ServerResponse, from: number, mayRead: () => Promise<boolean>): void {
    const client: Client = { response, lastId: from, blockedSince: null, mayRead };
    this.#clients.add(client);
    response.on('close', () => this.#clients.delete(client));
    response.on('drain', () => {
      client.blockedSince = null;
      this.wake();
    });
    response.write(`retry: 1000\nid: ${from}\nevent: hello\ndata: {"lastEventId":${from}}\n\n`);
    this.wake();
  }

  /** Something may have changed. However often it is called, it is looked once. */
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
      if (blockedSince !== null && now - blockedSince > this.#ports.unreadMsMax)
        this.#drop(client, `it has read nothing for ${this.#ports.unreadMsMax} ms`);
      else
        void client.mayRead().then((may) => {
          if (!may) this.#drop(client, 'its credential does not hold any more');
        });
    }
    this.wake();
  }

  #send(): void {
    try {
      const { pages, more } = this.#ports.read((rows) => this.#missing(newestChange(rows), rows));
      this.#sendPages(pages);
      if (more) this.wake();
    } catch {
      // The store is away: the next look finds it again.
    }
  }

  /** What clients lack that have taken everything so far, by the last event that they have. */
  #missing(newest: number, rows: Rows): { pages: ReadonlyMap<number, Page>; more: boolean } {
    const pages = new Map<number, Page>();
    let more = false;
    for (const { lastId, blockedSince } of this.#clients) {
      if (blockedSince !== null || lastId >= newest || pages.has(lastId)) continue;
      if (pages.size === PLACES_MAX) return { pages, more: true };
      const page = pageOf(changesAfter(rows, lastId, PAGE - (lastId % PAGE)), lastId);
      pages.set(lastId, page);
      more ||= page.lastId < newest;
    }
    return { pages, more };
  }

  #sendPages(pages: ReadonlyMap<number, Page>): void {
    for (const client of [...this.#clients]) {
      const page = pages.get(client.lastId);
      if (page === undefined || client.blockedSince !== null) continue;
      client.lastId = page.lastId;
      // Who was served comes last the next time: nobody waits for others who begin again and again.
      this.#clients.delete(client);
      this.#clients.add(client);
      if (!client.response.write(page.bytes)) client.blockedSince = this.#ports.now();
    }
  }

  #drop(client: Client, reason: string): void {
    // It may have gone by itself meanwhile.
    if (!this.#clients.delete(client)) return;
    this.#ports.dropped(reason);
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
