/**
 * The sockets of the service heartbeats: asks each service at its interval, and takes what comes back as a sign of life.
 *
 * Everybody on the node can send to a loopback port, so a datagram counts only if it comes from the service's own port, and
 * the socket bound there belongs to root, to the user of `sm`, or to whoever owns the service's process. Content is not
 * looked at, and reading is bounded: what comes beyond one answer per interval is dropped uncounted.
 */
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync, statSync } from 'node:fs';
import type { HeartbeatDefinition } from '../core/definitions/model.ts';
import { HeartbeatCount, type HeartbeatLevel } from '../core/service/heartbeat.ts';
import { readPidFile } from './exec/pid-file.ts';
import type { Log, Time } from './ports.ts';

/** An interval that ends this much of itself later than due was ours to miss. */
const LATE = 0.5;

export interface HeartbeatOptions {
  readonly definitions: ReadonlyMap<
    string,
    { readonly heartbeat?: HeartbeatDefinition; readonly pidFile: string }
  >;
  readonly level: (service: string, level: HeartbeatLevel, missed: number) => void;
  readonly time: Time;
  readonly log: Log;
}

interface Heart {
  readonly definition: HeartbeatDefinition;
  readonly pidFile: string;
  /** Bound, or about to be; null = its port could not be had, which is tried again at every interval. */
  socket: Socket | null;
  /** Only then something is sent: a socket that is not bound would take any port. */
  bound: boolean;
  /** Why it could not be had, as it was said. */
  fault: string;
  readonly count: HeartbeatCount;
  /** A datagram was looked at in this interval. */
  asked: boolean;
  /** It is being found out whether the sender may speak. */
  judging: boolean;
  dueAt: number;
  cancel: () => void;
}

export class ServiceHeartbeats {
  readonly #options: HeartbeatOptions;
  readonly #hearts = new Map<string, Heart>();
  /** Datagrams from elsewhere than the service. */
  strangers = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Begins or ends; without a row for the service it does nothing. */
  set(service: string, on: boolean): void {
    const known = this.#options.definitions.get(service);
    if (!on) this.#end(service);
    else if (known?.heartbeat !== undefined && !this.#hearts.has(service))
      this.#begin(service, known.heartbeat, known.pidFile);
  }

  stop(): void {
    for (const service of [...this.#hearts.keys()]) this.#end(service);
  }

  #begin(service: string, definition: HeartbeatDefinition, pidFile: string): void {
    const heart: Heart = {
      definition,
      pidFile,
      socket: null,
      bound: false,
      fault: '',
      count: new HeartbeatCount(definition),
      asked: false,
      judging: false,
      dueAt: this.#options.time.now() + definition.intervalMs,
      cancel: () => {},
    };
    this.#hearts.set(service, heart);
    this.#open(service, heart);
    this.#arm(service, heart);
  }

  /** While it has no port the service is without answers: that is what its limits are for, and the log says why. */
  #open(service: string, heart: Heart): void {
    const { address, port, servicePort } = heart.definition;
    const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
    heart.socket = socket;
    socket.on('error', ({ message }) => {
      if (message !== heart.fault) this.#options.log.error({ service, error: message }, 'heartbeat socket');
      heart.fault = message;
      close(heart);
    });
    socket.on('message', (_content, from) => {
      if (heart.asked) return;
      const ours = from.address === address && from.port === servicePort;
      heart.asked = ours;
      if (ours) void this.#judge(heart);
      else this.strangers += 1;
    });
    socket.bind({ address, port, exclusive: true }, () => {
      heart.bound = heart.socket === socket;
      heart.fault = '';
      ask(heart);
    });
  }

  /** One look at a time: a pid file on a mount that hangs is waited for, perhaps for ever. */
  async #judge(heart: Heart): Promise<void> {
    if (heart.judging) return;
    heart.judging = true;
    const { address, servicePort } = heart.definition;
    if (await maySpeak(address, servicePort, heart.pidFile)) heart.count.alive();
    else this.strangers += 1;
    heart.judging = false;
  }

  #arm(service: string, heart: Heart): void {
    const { time, level } = this.#options;
    const { intervalMs } = heart.definition;
    heart.cancel = time.after(Math.max(0, heart.dueAt - time.now()), () => {
      const late = time.now() - heart.dueAt > LATE * intervalMs;
      const changed = heart.count.interval(late);
      heart.asked = false;
      heart.dueAt = time.now() + intervalMs;
      if (heart.socket === null) this.#open(service, heart);
      else ask(heart);
      this.#arm(service, heart);
      if (changed !== null) level(service, changed, heart.count.missed);
    });
  }

  #end(service: string): void {
    const heart = this.#hearts.get(service);
    if (heart === undefined) return;
    this.#hearts.delete(service);
    heart.cancel();
    close(heart);
  }
}

/** StarlingX's services expect the text with its terminating zero. */
function ask({ socket, bound, definition: { message, servicePort, address } }: Heart): void {
  // What can not be sent is not answered, and that is counted.
  if (bound) socket?.send(Buffer.from(`${message}\0`), servicePort, address, () => {});
}

function close(heart: Heart): void {
  const { socket } = heart;
  heart.socket = null;
  heart.bound = false;
  try {
    socket?.close();
  } catch {
    // It is closed already.
  }
}

/** Does the socket on that port belong to somebody who may speak for the service? */
export async function maySpeak(address: string, port: number, pidFile: string): Promise<boolean> {
  const owner = socketOwner(address, port);
  if (owner === null || owner === 0 || owner === process.geteuid?.()) return owner !== null;
  return owner === (await processOwner(pidFile));
}

/** Uid of the socket bound to the port on that address or on all; null = there is none, or it can not be found out. */
export function socketOwner(address: string, port: number): number | null {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const own = address === '::1' ? '00000000000000000000000001000000' : '0100007F';
  let text: string;
  try {
    text = readFileSync(address === '::1' ? '/proc/net/udp6' : '/proc/net/udp', 'latin1');
  } catch {
    return null;
  }
  for (const line of text.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [host, bound] = fields[1]?.split(':') ?? [];
    if (bound === wanted && (host === own || /^0+$/.test(host ?? ''))) return Number(fields[7]);
  }
  return null;
}

/** The service may have written the file: it is read as any other pid file, without waiting for a FIFO or a mount. */
async function processOwner(pidFile: string): Promise<number | null> {
  const content = await readPidFile(pidFile);
  if (content.kind !== 'pid') return null;
  try {
    return statSync(`/proc/${content.pid}`).uid;
  } catch {
    return null;
  }
}
