/** One keeper and two sectors, step by step. */
import { expect, test } from 'vitest';
import { DiskKeeper } from '../../../src/core/arbiter/disk-keeper.ts';
import type {
  ArbiterFact,
  DiskRequest,
  KeeperEffect,
  KeeperOptions,
} from '../../../src/core/arbiter/interface.ts';
import { readSector, type Sector, sectorText } from '../../../src/core/arbiter/record.ts';
import { known, unknown } from '../../../src/sim/register.ts';

const P = 800;
const QUIET = 1230;
const LIMIT = 200;

const PEER: Sector = {
  node: 'b',
  kernelLife: 'kernel-b',
  nonce: 'peer.1',
  permissionMs: P,
  stopBoundMs: 300,
  number: 3,
  mode: 'leased',
  claim: 0,
  holds: [{ group: 'g', activation: 2 }],
};

class Node {
  own = '';
  peer: string;
  readonly facts: ArbiterFact[] = [];
  readonly keeper: DiskKeeper;
  now = 0;
  answers = true;
  #work: { at: number; run: () => void }[] = [];

  constructor(peer: string, options: Partial<KeeperOptions> = {}) {
    this.peer = peer;
    this.keeper = new DiskKeeper(
      {
        node: 'a',
        peer: 'b',
        permissionMs: P,
        stopBoundMs: 300,
        kernelLife: 'kernel-a',
        instance: 'one',
        intervalMs: 200,
        limitMs: LIMIT,
        ...options,
      },
      0,
      (effect) => this.#perform(effect),
    );
    this.keeper.start(0);
  }

  #perform(effect: KeeperEffect<DiskRequest>): void {
    if (effect.type === 'fact') {
      this.facts.push(effect.fact);
      const { fact } = effect;
      if (fact.type === 'arbiter.limit')
        this.#work.push({
          at: this.now + 1,
          run: () => this.keeper.step({ type: 'limited', ticket: fact.ticket }, this.now),
        });
    } else if (effect.type === 'timer') {
      const { key, generation, at } = effect;
      if (at !== null)
        this.#work.push({ at, run: () => this.keeper.step({ type: 'timer', key, generation }, this.now) });
    } else {
      const { request, body } = effect;
      const askedAt = this.now;
      const { answers } = this;
      if (answers && body.write !== null) this.own = body.write;
      const run = (): void => {
        const answer = answers
          ? known({ own: this.own, peer: this.peer }, askedAt, this.now)
          : unknown(askedAt, this.now);
        this.keeper.step({ type: 'answer', request, answer }, this.now);
      };
      this.#work.push({ at: this.now + (answers ? 5 : LIMIT), run });
    }
  }

  run(ms: number): this {
    const until = this.now + ms;
    for (;;) {
      this.#work.sort((x, y) => x.at - y.at);
      if ((this.#work[0]?.at ?? Number.POSITIVE_INFINITY) > until) break;
      const next = this.#work.shift();
      this.now = Math.max(this.now, next?.at ?? 0);
      next?.run();
    }
    this.now = until;
    return this;
  }

  word(heard: boolean): this {
    const lastReceiptAt = heard ? this.now : Number.NEGATIVE_INFINITY;
    this.keeper.step(
      {
        type: 'peer',
        word: { heard, exchanged: heard, leaving: false, lastReceiptAt, permissionMs: P, stopBoundMs: 300 },
      },
      this.now,
    );
    return this;
  }

  holds(activation: number): this {
    const holds = [{ group: 'g', activation }];
    this.keeper.step({ type: 'wish', wish: { leads: true, number: 1, groups: [], holds } }, this.now);
    return this;
  }

  get sector(): Sector | null {
    const read = readSector(this.own);
    return read.ok ? read.value : null;
  }

  types(): string[] {
    return [...new Set(this.facts.splice(0).map(({ type }) => type.replace('arbiter.', '')))];
  }
}

const peer = (change: Partial<Sector> = {}): string => sectorText({ ...PEER, ...change });

test('a quiet peer is claimed after P + S + m, and replaced one limit + P + S + m later', () => {
  const node = new Node(peer()).run(QUIET - 20);
  expect(node.sector?.claim).toBe(0);
  node.run(50);
  expect(node.sector).toMatchObject({ claim: 4, mode: 'leased' });
  node.run(LIMIT + QUIET - 60);
  expect(node.types()).not.toContain('granted');
  node.run(100);
  expect(node.sector).toMatchObject({ claim: 0, mode: 'sole', number: 4 });
  expect(node.types()).toEqual(expect.arrayContaining(['granted', 'sole']));
});

test.each([
  ['the claim is withdrawn', [], false],
  ['with the break disk-yield it is replaced all the same', ['disk-yield'], true],
])('it moves during the wait: %s', (_what, breaks, granted) => {
  const node = new Node(peer(), { breaks: new Set(breaks) }).run(QUIET + 500);
  expect(node.sector?.claim).toBe(4);
  node.peer = peer({ nonce: 'peer.2' });
  node.run(QUIET);
  expect(node.sector?.claim).toBe(0);
  expect(node.types().includes('granted')).toBe(granted);
});

test('it is heard during the wait: the same', () => {
  const node = new Node(peer())
    .run(QUIET + 500)
    .word(true)
    .run(300);
  expect(node.sector?.claim).toBe(0);
});

test('its sole is not replaced by time, only on proof of its death', () => {
  const node = new Node(peer({ mode: 'sole' })).run(10_000);
  expect(node.types()).not.toContain('granted');
  node.keeper.step({ type: 'proof', proof: { kernelLife: 'kernel-b', by: 'fence', at: node.now } }, node.now);
  node.run(300);
  expect(node.sector).toMatchObject({ mode: 'sole', number: 4 });
  expect(node.types()).toContain('granted');
});

test('a holder does not count a renewal beside a higher claim, as long as the claim lives', () => {
  const node = new Node(peer({ number: 0, holds: [] })).word(true).holds(1).run(500);
  expect(node.types()).toContain('renewed');
  node.word(false);
  node.peer = peer({ nonce: 'peer.2', claim: 9 });
  expect(node.run(900).types()).not.toContain('renewed');
  // Nobody moves that sector for as long as a claim may take: whoever claimed is gone.
  node.run(LIMIT + QUIET);
  expect(node.types().join()).toMatch(/renewed|sole/);
});

test('a holder whose peer is out is sole at once, and loses it to a higher one', () => {
  const node = new Node(peer())
    .word(true)
    .holds(3)
    .run(500)
    .word(false)
    .run(QUIET + 300);
  expect(node.sector?.mode).toBe('sole');
  node.peer = peer({ nonce: 'peer.9', mode: 'sole', number: 99 });
  node.types();
  expect(node.run(300).types()).toContain('lost');
  expect(node.sector?.mode).toBe('leased');
});

test('it is back: finite first, then leased', () => {
  const node = new Node(peer())
    .word(true)
    .holds(3)
    .run(500)
    .word(false)
    .run(QUIET + 300);
  node.types();
  node.word(true).run(300);
  expect(node.sector?.mode).toBe('leased');
  expect(node.types()).toEqual(expect.arrayContaining(['limit', 'renewed']));
});

test('a disk that does not answer renews nothing, and says so once', () => {
  const node = new Node(peer()).word(true).holds(3).run(500);
  node.types();
  node.answers = false;
  expect(node.run(5000).types()).toEqual(['state']);
});

test.each([
  ['damaged content', 'no sector'],
  ['the sector of another node', peer({ node: 'c' })],
])('%s is told, and nothing is granted beside it', (_name, content) => {
  const node = new Node(content).run(10_000);
  expect(node.facts).toContainEqual(expect.objectContaining({ type: 'arbiter.state', cause: 'protocol' }));
  expect(node.types()).toEqual(['state']);
});
