/**
 * One node's arbiters on the real clock, and the plainest holder of permission that the rules allow in the place of
 * sm-watchdog: who may act, and when, is reckoned from what its keeper tells.
 */
import type { ChildProcess } from 'node:child_process';
import type { ArbiterFact, PeerWord } from '../../src/core/arbiter/interface.ts';
import type { ArbiterDefinitions } from '../../src/core/definitions/arbiter-model.ts';
import type { FromArbiter } from '../../src/shell/arbiter/messages.ts';
import { ArbiterService } from '../../src/shell/arbiter/service.ts';
import { realTime } from '../../src/shell/time.ts';

/** Everything here waits for what is told; this is when to give up. */
const LIMIT_MS = 20_000;
const GROUP = 'app';

export interface SiteOptions {
  readonly ordinal: 0 | 1;
  readonly arbiters: ArbiterDefinitions;
  /** P and S. */
  readonly permissionMs: number;
  readonly stopBoundMs: number;
  readonly domain?: string;
  readonly kernelLife?: string;
  readonly knownRegister?: string;
  readonly startDisk?: (device: string, slot: 0 | 1, lockFile: string) => ChildProcess;
}

/** A time in which the node may act; what it runs is gone one stop bound after its end. */
export interface Span {
  readonly from: number;
  until: number;
}

type FactOf<Type extends ArbiterFact['type']> = Extract<ArbiterFact, { type: Type }>;

export class Site {
  readonly told: { readonly at: number; readonly fact: ArbiterFact }[] = [];
  readonly spans: Span[] = [];
  readonly service: ArbiterService;
  readonly #options: SiteOptions;
  readonly #node: string;
  readonly #waiting = new Set<() => void>();
  #heard = false;
  #lastReceiptAt = Number.NEGATIVE_INFINITY;
  #deadline = Number.NEGATIVE_INFINITY;
  #sole = false;
  #lost = false;
  #held = 0;

  constructor(options: SiteOptions) {
    const { ordinal, arbiters, permissionMs, stopBoundMs } = options;
    this.#options = options;
    this.#node = `controller-${ordinal}`;
    this.service = new ArbiterService({
      plan: {
        node: this.#node,
        peer: `controller-${1 - ordinal}`,
        ordinal,
        domain: { name: options.domain ?? 'controller', deadIntervalMs: permissionMs, stopBoundMs },
        arbiters,
        addresses: {},
        secretsDirectory: '/nonexistent',
        agentsDirectory: '/usr/sbin',
        diskLock: `${arbiters.disk?.device ?? ''}.lock-${ordinal}`,
        kernelLife: options.kernelLife ?? `kernel-${ordinal}`,
        knownRegister: options.knownRegister ?? '',
      },
      tell: (message) => this.#receive(message),
      environment: {},
      time: realTime,
      startDisk:
        options.startDisk ??
        (() => {
          throw new Error('no disk here');
        }),
    });
    this.service.start();
  }

  /** The peer is heard both ways from now on, or not any more. */
  word(heard: boolean): void {
    const now = realTime.now();
    if (heard || this.#heard) this.#lastReceiptAt = now;
    // Until now each of its frames has echoed ours.
    if (this.#heard && !heard) this.#deadline = Math.max(this.#deadline, now + this.#options.permissionMs);
    this.#heard = heard;
    const { permissionMs, stopBoundMs } = this.#options;
    const lastReceiptAt = this.#lastReceiptAt;
    const word: PeerWord = {
      heard,
      exchanged: heard,
      leaving: false,
      lastReceiptAt,
      permissionMs,
      stopBoundMs,
    };
    this.service.receive({ type: 'peer', word, productUuid: '' });
    this.#reckon(now);
  }

  wish(leads: boolean, holder: string, activation: number, number = 1): void {
    this.#held = holder === this.#node ? activation : 0;
    const holds = this.#held > 0 ? [{ group: GROUP, activation }] : [];
    this.service.receive({
      type: 'wish',
      wish: { leads, number, groups: [{ group: GROUP, holder, activation }], holds },
    });
    this.#reckon(realTime.now());
  }

  /** Without power: nothing of it acts any more. */
  off(): void {
    this.service.stop();
    this.#held = 0;
    this.#reckon(realTime.now());
  }

  /** Whether it may act at that time. */
  actsAt(at: number): boolean {
    return this.spans.some(({ from, until }) => from <= at && at < until);
  }

  /** When the next fact of this type was told after `since`, which is as it should be. */
  async fact<Type extends ArbiterFact['type']>(
    type: Type,
    since: number,
    isIt: (fact: FactOf<Type>) => boolean = () => true,
  ): Promise<number> {
    const found = await this.eventually(`${type} told`, () =>
      this.told.find(({ at, fact }) => at >= since && fact.type === type && isIt(fact as FactOf<Type>)),
    );
    return found.at;
  }

  /** Looks whenever something was told, and every few ms. */
  eventually<Found>(what: string, find: () => Found | undefined | false): Promise<Found> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(limit);
        clearInterval(again);
        this.#waiting.delete(look);
      };
      const limit = setTimeout(() => {
        end();
        const last = this.told.slice(-5).map(({ fact }) => JSON.stringify(fact));
        reject(new Error(`${this.#node}: not ${what}; told were ${last.join(' ')}`));
      }, LIMIT_MS);
      const look = (): void => {
        const found = find();
        if (found === undefined || found === false) return;
        end();
        resolve(found);
      };
      const again = setInterval(look, 20);
      this.#waiting.add(look);
      look();
    });
  }

  /** All facts of these types that were told after `since`. */
  facts(since: number, ...types: readonly ArbiterFact['type'][]): readonly unknown[] {
    return this.told
      .filter(({ at, fact }) => at >= since && types.includes(fact.type))
      .map(({ at, fact }) => ({ afterMs: Math.round(at - since), ...fact }));
  }

  #receive(message: FromArbiter): void {
    if (message.type !== 'fact') return;
    const { fact } = message;
    const now = realTime.now();
    this.told.push({ at: now, fact });
    this.#onFact(fact, now);
    this.#reckon(now);
    for (const look of [...this.#waiting]) look();
  }

  #onFact(fact: ArbiterFact, now: number): void {
    switch (fact.type) {
      case 'arbiter.renewed':
        this.#lost = false;
        this.#deadline = Math.max(this.#deadline, fact.askedAt + this.#options.permissionMs);
        return;
      case 'arbiter.sole':
        this.#lost = false;
        this.#sole = true;
        return;
      case 'arbiter.limit':
        // One that is finite already stays as it is.
        if (this.#sole) this.#deadline = Math.max(this.#deadline, now + this.#options.permissionMs);
        this.#sole = false;
        this.service.receive({ type: 'limited', ticket: fact.ticket });
        return;
      case 'arbiter.lost':
        this.#sole = false;
        this.#lost = true;
        this.#deadline = Math.min(this.#deadline, now);
        return;
      case 'arbiter.granted':
        if (this.#held > 0 || this.#lastReceiptAt > fact.quietSince) return;
        return this.wish(true, this.#node, this.#activationSeen + 1, fact.number);
      case 'arbiter.numbers':
        this.#activationSeen = Math.max(this.#activationSeen, ...fact.groups.map((each) => each.activation));
        return;
    }
  }
  #activationSeen = 0;

  #reckon(now: number): void {
    const isWithoutEnd = this.#sole || this.#heard;
    const until =
      this.#held === 0 || this.#lost ? now : isWithoutEnd ? Number.POSITIVE_INFINITY : this.#deadline;
    const last = this.spans.at(-1);
    if (last !== undefined && last.until >= now) last.until = Math.max(now, until);
    else if (until > now) this.spans.push({ from: now, until });
  }
}

/** Times in which both acted, or one while what the other ran was not gone yet; none = as it should be. */
export function bothActed(a: Site, b: Site, stopBoundMs: number): readonly object[] {
  return a.spans.flatMap((one) =>
    b.spans
      .filter((other) => one.from < other.until + stopBoundMs && other.from < one.until + stopBoundMs)
      .map((other) => ({ one, other })),
  );
}
