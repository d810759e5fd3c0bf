/**
 * Our own end of every link: is the address there, and does its interface have a carrier?
 *
 * A whole look, with a list of all addresses, is taken right before heartbeats go out, when a child `ip monitor` tells of
 * any change, and several times a second where nobody else looks. In between, while this node holds a permission that a loss would shorten
 * (`watchClosely`), the carriers alone are looked at, often enough that a loss is seen within link_down_detect also without
 * the child. Its output is not read for meaning: what counts is what the kernel says when asked. The list of running interfaces
 * comes from the kernel of our own network namespace; /sys may be mounted for another one and is believed only for an
 * interface whose hardware address it shares.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { InterfaceRole } from '../../core/kernel/names.ts';
import { same } from '../../core/kernel/same.ts';
import { expanded, familyOf, type Interfaces, interfaceWith, type Sought, sought } from './address.ts';

/** Share of link_down_detect after which the carriers are looked at again; the rest is for a timer that comes late. */
const LOOK_SHARE = 0.8;
const LOOK_INTERVAL_MS_MIN = 10;
/** A whole look is at most this old when the carriers alone are looked at: a little more than the usual hello interval. */
const WHOLE_LOOK_MS = 240;
const MONITOR_RESTART_DELAY_MS = 5_000;
/**
 * How long a file of /sys is kept open: opening takes longer than reading. Not for ever, because an interface takes its
 * files along when it is renamed.
 */
const FILE_OPEN_MS = 1000;

export interface LinkState {
  readonly role: InterfaceRole;
  readonly up: boolean;
  /** Why it is down; '' = it is up. */
  readonly reason: string;
  /** '' = not known. */
  readonly interfaceName: string;
  /** Name, number and hardware address, as far as they are known: another one under the same name differs in it. */
  readonly identity: string;
}

/** What is asked of the system; tests answer instead. */
export interface LinkPorts {
  readonly interfaces: () => Interfaces;
  /** Content of /sys/class/net/<name>/<file>, trimmed; null = it can not be read. */
  readonly sys: (
    name: string,
    file: 'address' | 'carrier' | 'operstate' | 'flags' | 'ifindex',
  ) => string | null;
  /** Content of /proc/net/if_inet6 of our own network namespace; '' = it can not be read. */
  readonly inet6: () => string;
  /** Starts to call `wake` on changes; returns how to stop. */
  readonly watch: (wake: () => void) => () => void;
}

export const SYSTEM_LINK_PORTS: LinkPorts = {
  interfaces: networkInterfaces,
  sys: readSys,
  inet6: readInet6,
  watch: watchByChild,
};

/** Our own end of a link. */
interface Own extends Sought {
  readonly role: InterfaceRole;
  readonly address: string;
  readonly isSix: boolean;
}

export class LinkMonitor {
  readonly #links: readonly Own[];
  readonly #changed: (state: LinkState) => void;
  readonly #ports: LinkPorts;
  readonly #states = new Map<InterfaceRole, LinkState>();
  /** Interfaces of links that are up, of which /sys can be believed; null = not of all of them. */
  #visible: ReadonlySet<string> | null = null;
  #closeMs = WHOLE_LOOK_MS;
  #closely = false;
  #lookedAt = 0;
  #isStarted = false;
  #timer: NodeJS.Timeout | null = null;
  #unwatch: (() => void) | null = null;

  constructor(
    links: readonly { readonly role: InterfaceRole; readonly address: string }[],
    changed: (state: LinkState) => void,
    ports: LinkPorts = SYSTEM_LINK_PORTS,
  ) {
    this.#links = links.map(({ role, address }) => ({
      role,
      address,
      isSix: familyOf(address) === 'udp6',
      ...sought(address),
    }));
    this.#changed = changed;
    this.#ports = ports;
  }

  /** Tells the state of every link at once, then every change. */
  start(linkDownDetectMs: number): void {
    this.#closeMs = Math.max(LOOK_INTERVAL_MS_MIN, Math.min(LOOK_SHARE * linkDownDetectMs, WHOLE_LOOK_MS));
    this.#isStarted = true;
    this.poll();
    this.#unwatch = this.#ports.watch(() => this.poll());
  }

  stop(): void {
    this.#isStarted = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#unwatch?.();
    this.#unwatch = null;
  }

  /** From now on a lost carrier is told within link_down_detect; otherwise, and any other change, with the next whole look. */
  watchClosely(closely: boolean): void {
    if (closely === this.#closely) return;
    this.#closely = closely;
    this.#lookLater();
  }

  /** A whole look. */
  poll(): void {
    this.#lookedAt = performance.now();
    this.#lookLater();
    const interfaces = this.#ports.interfaces();
    // Read where it is needed, and once.
    let inet6: string | null = null;
    const ask = {
      interfaces,
      sys: this.#ports.sys,
      inet6: () => {
        inet6 ??= this.#ports.inet6();
        return inet6;
      },
    };
    let changed = false;
    for (const own of this.#links) {
      const { role } = own;
      const before = this.#states.get(role);
      const state = { role, ...judge(own, before?.interfaceName ?? '', ask) };
      if (before !== undefined && same(before, state)) continue;
      changed = true;
      this.#states.set(role, state);
      this.#changed(state);
    }
    if (!changed) return;
    const names = this.states().flatMap(({ up, interfaceName }) => (up ? interfaceName : []));
    const visible = new Set(names.filter((name) => name !== 'lo'));
    const all = [...visible].every((name) => isSameInterface(name, interfaces, this.#ports.sys));
    this.#visible = all ? visible : null;
  }

  /** Every look puts the next one off: those that come with heartbeats leave only the looks between them to be taken. */
  #lookLater(): void {
    if (!this.#isStarted) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookAgain(), this.#closely ? this.#closeMs : WHOLE_LOOK_MS);
  }

  #lookAgain(): void {
    const isOld = performance.now() - this.#lookedAt >= WHOLE_LOOK_MS;
    if (isOld || !this.#closely || !this.#carriersHold()) this.poll();
    else this.#lookLater();
  }

  #carriersHold(): boolean {
    if (this.#visible === null) return false;
    for (const name of this.#visible) if (this.#ports.sys(name, 'carrier') !== '1') return false;
    return true;
  }

  states(): LinkState[] {
    return [...this.#states.values()];
  }
}

type Judgement = Omit<LinkState, 'role'>;

/** The system at one moment. */
interface Sight {
  readonly interfaces: Interfaces;
  readonly sys: LinkPorts['sys'];
  readonly inet6: () => string;
}

function judge(own: Own, nameBefore: string, sight: Sight): Judgement {
  if (own.isLoopback) return { up: true, reason: '', interfaceName: 'lo', identity: 'lo' };
  const { address } = own;
  const { interfaces, sys } = sight;
  const name = interfaceWith(own, interfaces);
  if (name === null) {
    const reason = absence(address, nameBefore, interfaces, sys);
    return { up: false, reason, interfaceName: nameBefore, identity: '' };
  }
  const ours = isSameInterface(name, interfaces, sys);
  const six = own.isSix ? inet6Entry(address, name, sight.inet6()) : null;
  const index = six?.index ?? (ours ? sys(name, 'ifindex') : null);
  const identity = [name, index ?? '?', interfaces[name]?.[0]?.mac ?? ''].join(' ');
  const reason = six?.obstacle || (ours ? carrierFault(name, sys) : '');
  return { up: reason === '', reason, interfaceName: name, identity };
}

/** Sooner than in the list: the kernel takes a link off that list with up to a second's delay. */
function carrierFault(name: string, sys: LinkPorts['sys']): string {
  if (sys(name, 'carrier') === '0') return `${name} has no carrier`;
  const operational = sys(name, 'operstate');
  return operational === 'down' || operational === 'lowerlayerdown' ? `${name} is ${operational}` : '';
}

/** Flags of an IPv6 address (linux/if_addr.h). */
const OPTIMISTIC = 0x04;
const DUPLICATE = 0x08;
const TENTATIVE = 0x40;

/**
 * Of an IPv6 address: the number of its interface, and why it can not be used. For a second or two after its interface has
 * come up, the kernel asks the network whether somebody else has it (RFC 4862, 5.4), and nobody is answered meanwhile.
 */
function inet6Entry(
  address: string,
  name: string,
  table: string,
): { readonly index: number; readonly obstacle: string } | null {
  const key = expanded(address);
  for (const line of table.split('\n')) {
    const [digits, index = '', , , flagDigits = '', owner] = line.trim().split(/\s+/);
    if (digits !== key || owner !== name) continue;
    const flags = Number.parseInt(flagDigits, 16);
    const tentative = (flags & TENTATIVE) !== 0 && (flags & OPTIMISTIC) === 0;
    const obstacle =
      (flags & DUPLICATE) !== 0
        ? `address ${address} is used by another machine on ${name} too: duplicate address detection found it`
        : tentative
          ? `address ${address} on ${name} is tentative: duplicate address detection is not over`
          : '';
    return { index: Number.parseInt(index, 16), obstacle };
  }
  return null;
}

/** Why the address is on no running interface. */
function absence(address: string, nameBefore: string, interfaces: Interfaces, sys: LinkPorts['sys']): string {
  if (nameBefore === '') return `address ${address} is on no interface that is up and has a carrier`;
  if (interfaces[nameBefore] !== undefined) return `address ${address} was taken off ${nameBefore}`;
  const flags = sys(nameBefore, 'flags');
  if (flags === null) return `${nameBefore}, which had address ${address}, is down or gone`;
  if ((Number(flags) & 1) === 0) return `${nameBefore} was taken down by an administrator`;
  return sys(nameBefore, 'carrier') === '0'
    ? `${nameBefore} has no carrier`
    : `address ${address} was taken off ${nameBefore}`;
}

/** Does /sys speak of the same interface, not of a namesake in another network namespace? */
function isSameInterface(name: string, interfaces: Interfaces, sys: LinkPorts['sys']): boolean {
  const hardware = interfaces[name]?.[0]?.mac;
  return hardware !== undefined && sys(name, 'address') === hardware;
}

/** Few lines, made anew by the kernel at every reading. */
function readInet6(): string {
  try {
    return readFileSync('/proc/self/net/if_inet6', 'latin1');
  } catch {
    return '';
  }
}

const buffer = Buffer.alloc(64);
/** Open files of /sys, by path. */
const files = new Map<string, { readonly fd: number; readonly since: number }>();

/** Of a file that was kept open too, the kernel makes the content anew. Where its interface is gone, it can not be read. */
function readSys(name: string, file: string): string | null {
  const path = `/sys/class/net/${name}/${file}`;
  const text = readOpen(path);
  if (text !== null || !files.has(path)) return text;
  forget(path);
  return readOpen(path);
}

function readOpen(path: string): string | null {
  const now = performance.now();
  try {
    let known = files.get(path);
    if (known !== undefined && now - known.since > FILE_OPEN_MS) {
      forget(path);
      known = undefined;
    }
    known ??= { fd: openSync(path, 'r'), since: now };
    files.set(path, known);
    return buffer.toString('latin1', 0, readSync(known.fd, buffer, 0, buffer.length, 0)).trim();
  } catch {
    return null;
  }
}

function forget(path: string): void {
  const known = files.get(path);
  if (known === undefined) return;
  files.delete(path);
  closeSync(known.fd);
}

/** `ip monitor` ends with us however we end (the death signal of setpriv), and is started again if it ends before. */
function watchByChild(wake: () => void): () => void {
  let child: ChildProcess | null = null;
  let restart: NodeJS.Timeout | null = null;
  let stopped = false;
  const start = () => {
    const args = ['--pdeathsig', 'KILL', '--', 'ip', 'monitor', 'link', 'address'];
    child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout?.on('data', wake);
    child.on('error', () => undefined);
    // Also where the program is missing: one attempt every few seconds costs nothing.
    child.on('close', () => {
      if (!stopped) restart = setTimeout(start, MONITOR_RESTART_DELAY_MS);
    });
  };
  start();
  return () => {
    stopped = true;
    if (restart !== null) clearTimeout(restart);
    child?.kill('SIGKILL');
  };
}
