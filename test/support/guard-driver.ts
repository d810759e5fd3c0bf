/** A guard on a fake clock: timers come when they are due, effects are kept, frames of a made-up peer can be fed in. */
import type { DomainDefinition } from '../../src/core/definitions/model.ts';
import type { GuardFact } from '../../src/core/engine-interface.ts';
import { Guard } from '../../src/core/guard/guard.ts';
import type { GuardEffect, GuardEvent, GuardOptions, KillEntry } from '../../src/core/guard/interface.ts';
import type { InterfaceRole } from '../../src/core/kernel/names.ts';
import { NO_LIFE } from '../../src/core/link/frame.ts';
import { splitReport } from '../../src/core/link/parts.ts';
import { encodeReport } from '../../src/core/link/report.ts';
import type { Frame, FrameHeader, Report } from '../../src/core/link/types.ts';

export const A = 'controller-0';
export const B = 'controller-1';
export const MANAGEMENT = 'management-interface';
export const OAM = 'oam-interface';

/** The shipped times; permission ends 0.9 (800 + 300) - 300 - 50 - 20 = 620 ms after the last frame sent. */
export const DOMAIN: DomainDefinition = {
  name: 'controller',
  priority: 230,
  helloIntervalMs: 200,
  deadIntervalMs: 800,
  waitIntervalMs: 5000,
  exchangeIntervalMs: 2000,
  splitBrainRecovery: 'select-best-active',
  silencePolicy: 'takeover',
  stopBoundMs: 300,
  stopGraceMs: 100,
  killVerifyMs: 100,
  linkDownDetectMs: 50,
  mainStallMsMax: 3000,
};
export const PERMISSION_MS = 620;

export const life = (text: string): string => Buffer.from(text).toString('hex').padEnd(32, '0').slice(0, 32);

export const entry = (service: string, kernelState = false): KillEntry => ({
  service,
  cgroup: null,
  pidFile: '',
  marker: service,
  kernelState,
  enabledAt: null,
});

export interface DriverOptions {
  readonly domain?: Partial<DomainDefinition>;
  readonly roles?: readonly InterfaceRole[];
  readonly guard?: Partial<GuardOptions>;
  /** Leave the links down and `sm` away. */
  readonly bare?: boolean;
}

export class GuardDriver {
  readonly guard: Guard;
  readonly domain: DomainDefinition;
  readonly roles: readonly InterfaceRole[];
  readonly ownLife: string;
  effects: GuardEffect[] = [];
  now = 10_000;
  readonly #timers = new Map<string, { at: number; generation: number }>();
  #pulses = false;
  /** Answers each frame sent, as a peer that lives would. */
  peer: FakePeer | null = null;

  constructor(options: DriverOptions = {}) {
    this.domain = { ...DOMAIN, ...options.domain };
    this.roles = options.roles ?? [MANAGEMENT, OAM];
    this.ownLife = options.guard?.processLife ?? life('own');
    this.guard = new Guard(
      {
        node: A,
        peer: B,
        clusterId: '00'.repeat(8),
        domain: this.domain,
        interfaces: this.roles.map((role) => ({ role })),
        processLife: this.ownLife,
        kernelLife: life('own kernel'),
        productUuid: life('own machine'),
        copyExpected: false,
        ...options.guard,
      },
      (effect) => this.#take(effect),
    );
    this.guard.start(this.now);
    if (options.bare === true) return;
    for (const role of this.roles) this.link(role, true);
    this.connect();
  }

  step(event: GuardEvent): void {
    this.guard.step(event, this.now);
  }

  /** Lets time pass; timers and, where `sm` lives, its pulses come when they are due. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      let next: { key: string; at: number; generation: number } | null = null;
      for (const [key, timer] of this.#timers) if (timer.at <= (next?.at ?? until)) next = { key, ...timer };
      if (next === null) break;
      this.now = Math.max(this.now, next.at);
      this.#timers.delete(next.key);
      if (next.key === 'pulse') this.#pulse();
      else this.step({ type: 'timer', key: next.key, generation: next.generation });
    }
    this.now = until;
  }

  /** Time passes, nothing runs: timers that fell due come late, and first. */
  stall(ms: number): void {
    this.now += ms;
    this.pass(0);
  }

  connect(pulses = true): void {
    this.step({ type: 'sm.connected' });
    this.#pulses = pulses;
    if (pulses) this.#pulse();
  }

  gone(reason = 'sm ended'): void {
    this.#pulses = false;
    this.#timers.delete('pulse');
    this.step({ type: 'sm.gone', reason });
  }

  /** `sm` lives on but says nothing. */
  hang(): void {
    this.#pulses = false;
    this.#timers.delete('pulse');
  }

  link(role: InterfaceRole, up: boolean): void {
    this.step({ type: 'link', role, up, reason: up ? 'carrier' : 'no carrier' });
  }

  linksDown(): void {
    for (const role of this.roles) this.link(role, false);
  }

  /** Holds activity, with these services on the kill list. */
  hold(...services: string[]): void {
    this.step({ type: 'sm.hold', holding: true });
    for (const [run, service] of services.entries())
      this.step({ type: 'sm.list', run, entry: entry(service), activating: true });
  }

  /** The last kill has left only these. */
  killed(...survivors: string[]): void {
    const services = this.of('kill').at(-1)?.services ?? [];
    this.step({ type: 'killed', services, survivors });
  }

  /** Is an activating script refused now? '' = it is allowed. */
  listingRefusal(service = 'probe'): string {
    this.step({ type: 'sm.list', run: 999, entry: entry(service), activating: true });
    const answer = this.of('listed').at(-1);
    return answer === undefined ? 'no answer' : answer.reason;
  }

  of<T extends GuardEffect['type']>(type: T): Extract<GuardEffect, { type: T }>[] {
    return this.effects.filter((effect): effect is Extract<GuardEffect, { type: T }> => effect.type === type);
  }

  told<T extends GuardFact['type']>(type: T): Extract<GuardFact, { type: T }>[] {
    return this.of('tell')
      .map(({ fact }) => fact)
      .filter((fact): fact is Extract<GuardFact, { type: T }> => fact.type === type);
  }

  /** Forgets the effects so far. */
  clear(): void {
    this.effects = [];
  }

  get deadline(): number {
    return this.guard.view().deadline;
  }

  get lastSent(): FrameHeader {
    const frame = this.of('send').at(-1)?.frame;
    if (frame === undefined) throw new Error('nothing sent');
    return frame.header;
  }

  #pulse(): void {
    this.step({ type: 'sm.pulse' });
    if (this.#pulses) this.#timers.set('pulse', { at: this.now + 200, generation: 0 });
  }

  #take(effect: GuardEffect): void {
    if (effect.type === 'timer') {
      const { key, at, generation } = effect;
      if (at === null || at === Number.POSITIVE_INFINITY) this.#timers.delete(key);
      else this.#timers.set(key, { at, generation });
      return;
    }
    this.effects.push(effect);
    if (effect.type === 'send') this.peer?.heard(effect.frame);
  }
}

/** What controller-1 would send. */
export class FakePeer {
  readonly #driver: GuardDriver;
  life: string;
  kernelLife = life('peer kernel');
  productUuid = life('peer machine');
  sequence = 0;
  echoSequence = 0;
  /** Hears us: its frames echo our newest sequence. */
  hears = true;
  header: Partial<FrameHeader> = {};

  constructor(driver: GuardDriver, name = 'peer') {
    this.#driver = driver;
    this.life = life(name);
    driver.peer = this;
  }

  heard({ header }: Frame): void {
    if (this.hears) this.echoSequence = Math.max(this.echoSequence, header.sequence);
  }

  frame(change: Partial<FrameHeader> = {}, part = 0, parts = 0, body: Uint8Array = new Uint8Array(0)): Frame {
    this.sequence += 1;
    return {
      header: {
        version: 1,
        versionMin: 1,
        versionMax: 1,
        clusterId: '00'.repeat(8),
        sender: B,
        receiver: A,
        interfaceRole: MANAGEMENT,
        keyId: '00000000',
        processLife: this.life,
        kernelLife: this.kernelLife,
        productUuid: this.productUuid,
        echoLife: this.echoSequence > 0 ? this.#driver.ownLife : NO_LIFE,
        echoSequence: this.echoSequence,
        sequence: this.sequence,
        permissionMs: this.#driver.domain.deadIntervalMs,
        stopBoundMs: this.#driver.domain.stopBoundMs,
        managerDownMs: 0,
        linkBits: 0b0111_0111,
        reportVersion: 0,
        announceNumber: 0,
        leaving: false,
        ...this.header,
        ...change,
      },
      part,
      parts,
      body,
    };
  }

  /** One frame on all links (or these), as the sender's copies. */
  send(change: Partial<FrameHeader> = {}, roles: readonly InterfaceRole[] = this.#driver.roles): Frame {
    const frame = this.frame(change);
    this.deliver(frame, roles);
    return frame;
  }

  deliver(frame: Frame, roles: readonly InterfaceRole[] = this.#driver.roles): void {
    for (const role of roles)
      this.#driver.step({
        type: 'frame',
        role,
        frame: { ...frame, header: { ...frame.header, interfaceRole: role } },
      });
  }

  /** Sends its report, whole. */
  report(version: number, report: Report = emptyReport(), change: Partial<FrameHeader> = {}): void {
    this.header = { ...this.header, reportVersion: version };
    const parts = splitReport(encodeReport(report));
    for (const [index, body] of parts.entries()) this.deliver(this.frame(change, index, parts.length, body));
  }

  /** Says hello every 200 ms for so long. */
  talk(ms: number, change: Partial<FrameHeader> = {}, roles?: readonly InterfaceRole[]): void {
    for (let passed = 0; passed < ms; passed += 200) {
      this.#driver.pass(Math.min(200, ms - passed));
      this.send(change, roles);
    }
  }
}

export function emptyReport(change: Partial<Report> = {}): Report {
  return {
    definitionDigest: 'd',
    domainState: 'backup',
    leader: '',
    number: 1,
    settled: true,
    nodes: [],
    groups: [],
    operations: [],
    basedOn: 0,
    ...change,
  };
}
