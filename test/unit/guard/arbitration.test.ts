/** What the guard makes of its arbiters: permission with a record, grants and what voids them, proofs of death. */
import { describe, expect, test } from 'vitest';
import type { ArbiterFact } from '../../../src/core/arbiter/interface.ts';
import type { ToArbiter } from '../../../src/core/arbiter/messages.ts';
import type { GuardFact } from '../../../src/core/engine-interface.ts';
import type { GuardOptions } from '../../../src/core/guard/interface.ts';
import { emptyReport, entry, FakePeer, GuardDriver, life } from '../../support/guard-driver.ts';

const P = 800;

class Node extends GuardDriver {
  constructor(guard: Partial<GuardOptions>) {
    super({ guard });
    this.step({ type: 'arbiter.connected' });
    this.drain();
  }

  rules(fact: ArbiterFact): this {
    this.step({ type: 'arbiter.told', message: { type: 'fact', fact } });
    return this;
  }

  /** What was said to sm and to the arbiter since. */
  drain(): { readonly told: readonly GuardFact[]; readonly asked: readonly ToArbiter[] } {
    const { effects } = this;
    this.effects = [];
    const told = effects.flatMap((effect) => (effect.type === 'tell' ? [effect.fact] : []));
    const asked = effects.flatMap((effect) => (effect.type === 'ask-arbiter' ? [effect.message] : []));
    return { told, asked };
  }

  get permittedUntil(): number {
    return this.guard.view().deadline;
  }

  granted(quietSince: number, number = 7): this {
    return this.rules({ type: 'arbiter.granted', number, ground: 'time', quietSince });
  }

  /** Whether an activating run would be listed; null = it waits. */
  lists(run = 1): boolean | null {
    this.step({ type: 'sm.hold', holding: true });
    this.step({ type: 'sm.list', run, entry: entry('postgres'), activating: true });
    return this.answer(run);
  }

  answer(run: number): boolean | null {
    const listed = this.effects.find((effect) => effect.type === 'listed' && effect.run === run);
    return listed?.type === 'listed' ? listed.ok : null;
  }

  say(grant: number): void {
    this.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 0, leaving: false, grant });
  }
}

const record = (): Node => new Node({ regime: 'record' });
const fenced = (): Node => new Node({ regime: 'fence', fences: true });

test('permission ends P after what was recorded was asked for, however late that is told', () => {
  const node = record();
  expect(node.permittedUntil).toBe(Number.NEGATIVE_INFINITY);
  const askedAt = node.now;
  node.pass(300);
  node.rules({ type: 'arbiter.renewed', askedAt });
  expect(node.permittedUntil).toBe(askedAt + P);
});

test('while the peer is heard its echoes renew, and a lost arbiter changes nothing', () => {
  const node = record();
  const peer = new FakePeer(node);
  peer.talk(1000);
  node.step({ type: 'arbiter.gone', reason: 'killed' });
  peer.talk(2000);
  expect(node.permittedUntil).toBeGreaterThan(node.now);
  expect(node.permittedUntil).toBeLessThanOrEqual(node.now + P);
});

test('sole does not run out; limited it is finite, and acknowledged only after sm has it', () => {
  const node = record();
  node.rules({ type: 'arbiter.sole', number: 3 });
  expect(node.permittedUntil).toBe(Number.POSITIVE_INFINITY);
  node.drain();
  node.rules({ type: 'arbiter.limit', ticket: 5 });
  expect(node.permittedUntil).toBe(node.now + P);
  const { told, asked } = node.drain();
  expect(told).toContainEqual({ type: 'guard.limit', ticket: 5, deadline: node.now + P });
  expect(asked).toEqual([]);
  node.step({ type: 'sm.limited', ticket: 4 });
  expect(node.drain().asked).toEqual([]);
  node.step({ type: 'sm.limited', ticket: 5 });
  expect(node.drain().asked).toEqual([{ type: 'limited', ticket: 5 }]);
});

test('the copy of an sm that is gone needs no limit', () => {
  const node = record();
  node.rules({ type: 'arbiter.sole', number: 3 }).rules({ type: 'arbiter.limit', ticket: 5 });
  node.step({ type: 'sm.gone', reason: 'killed' });
  expect(node.drain().asked).toContainEqual({ type: 'limited', ticket: 5 });
});

test.each([
  { type: 'arbiter.limit', ticket: 5 },
  { type: 'arbiter.lost', reason: 'it is theirs' },
] as const)('a grant that the record gave ends with the record, used or not: $type', (end) => {
  const node = record();
  const quietSince = node.now;
  node.pass(2000);
  node.rules({ type: 'arbiter.sole', number: 3 });
  node.rules({ type: 'arbiter.granted', number: 3, ground: 'time', quietSince });
  expect(node.drain().told).toContainEqual(expect.objectContaining({ type: 'guard.granted' }));
  node.rules(end);
  expect(node.drain().told).toContainEqual({ type: 'guard.withdrawn', listed: [] });
  node.rules(end);
  expect(node.drain().told.map(({ type }) => type)).not.toContain('guard.withdrawn');
});

test('what sm stored too slowly, on a grant that has ended meanwhile, is not listed', () => {
  const node = record();
  const quietSince = node.now;
  node.pass(2000);
  node.rules({ type: 'arbiter.sole', number: 3 });
  node.rules({ type: 'arbiter.granted', number: 3, ground: 'time', quietSince });
  const granted = node.drain().told.find((fact) => fact.type === 'guard.granted');
  const ticket = granted?.type === 'guard.granted' ? granted.ticket : 0;
  expect(ticket).toBeGreaterThan(0);
  node.rules({ type: 'arbiter.limit', ticket: 5 }).rules({ type: 'arbiter.renewed', askedAt: node.now });
  node.say(ticket);
  expect(node.lists(1)).toBe(false);
});

test('a lost record stops what is held', () => {
  const node = record();
  node.rules({ type: 'arbiter.sole', number: 3 });
  node.step({ type: 'sm.hold', holding: true });
  node.rules({ type: 'arbiter.lost', reason: 'it is theirs' });
  expect(node.drain().told).toContainEqual({ type: 'guard.lost', reason: 'it is theirs' });
});

test('what an arbiter that is gone still says counts no more', () => {
  const node = record();
  node.step({ type: 'arbiter.gone', reason: 'killed' });
  node.rules({ type: 'arbiter.sole', number: 3 });
  expect(node.permittedUntil).toBe(Number.NEGATIVE_INFINITY);
});

test('a frame after the quiet voids a grant: before it is told, and up to the listing', () => {
  const node = record();
  const peer = new FakePeer(node);
  peer.talk(600);
  const quietSince = node.now;
  node.pass(2000);
  node.granted(quietSince - 1);
  expect(node.drain().told.some(({ type }) => type === 'guard.granted')).toBe(false);
  node.granted(quietSince).rules({ type: 'arbiter.renewed', askedAt: node.now });
  const granted = node.drain().told.find((fact) => fact.type === 'guard.granted');
  expect(granted).toMatchObject({ number: 7, ground: 'time' });
  const ticket = granted?.type === 'guard.granted' ? granted.ticket : 0;
  // Not before the report that says so is out.
  expect(node.lists(1)).toBeNull();
  node.say(ticket);
  expect(node.answer(1)).toBe(true);
  peer.send();
  expect(node.drain().told).toContainEqual({ type: 'guard.silence-broken', listed: ['postgres'] });
  expect(node.lists(2)).toBe(false);
});

test('where nothing but fencing is there: no limit, and only a proof of this life lets us in', () => {
  const node = fenced();
  const peer = new FakePeer(node);
  peer.talk(600);
  node.pass(2000);
  expect(node.permittedUntil).toBe(Number.POSITIVE_INFINITY);
  node.step({ type: 'sm.fence-peer', window: null, kernelLife: '', tied: ['bmc'] });
  const asked = node.drain().asked.find(({ type }) => type === 'fence');
  const kernelLife = asked?.type === 'fence' ? asked.kernelLife : '';
  const result = {
    outcome: 'fenced',
    cause: null,
    reason: '',
    attempts: [],
    tookMs: 5,
    provenAt: node.now,
  } as const;
  const proof = (of: string) => ({ kernelLife: of, by: 'fence: fenced', at: node.now });
  node.step({ type: 'arbiter.told', message: { type: 'fenced', result, proof: proof(life('another')) } });
  expect(node.drain().told.map(({ type }) => type)).not.toContain('guard.granted');
  node.step({ type: 'arbiter.told', message: { type: 'fenced', result, proof: proof(kernelLife) } });
  expect(node.drain().told).toContainEqual(
    expect.objectContaining({ type: 'guard.granted', ground: 'death' }),
  );
});

/** A fencing of the peer was asked for and is over; its first reading that says off was asked for at `provenAt`. */
function fencedAt(node: Node, peer: FakePeer, provenAt: number, isVoid = false): void {
  const result = { outcome: 'fenced', cause: null, reason: '', attempts: [], tookMs: 5, provenAt } as const;
  const proof = isVoid ? null : { kernelLife: peer.kernelLife, by: 'fence: fenced', at: provenAt };
  node.step({ type: 'arbiter.told', message: { type: 'fenced', result, proof } });
}

test('a frame in one direction voids a proof that was read before it, and no fencing begins beside it', () => {
  const node = fenced();
  const peer = new FakePeer(node);
  peer.talk(600);
  peer.hears = false;
  node.pass(2000);
  const provenAt = node.now;
  peer.send();
  node.drain();
  node.step({ type: 'sm.fence-peer', window: null, kernelLife: '', tied: ['bmc'] });
  const { told, asked } = node.drain();
  expect(asked).toEqual([]);
  expect(told).toContainEqual({ type: 'guard.refused', what: 'fence-peer', reason: 'it is heard' });
  fencedAt(node, peer, provenAt);
  expect(node.drain().told.map(({ type }) => type)).not.toContain('guard.granted');
  node.pass(2000);
  fencedAt(node, peer, node.now - 1);
  const then = node.drain();
  expect(then.told.map(({ type }) => type)).toContain('guard.granted');
  expect(then.asked).toContainEqual({ type: 'replaced' });
});

test('a proof that sm-arbiter has found void is told as no fencing', () => {
  const node = fenced();
  const peer = new FakePeer(node);
  peer.talk(600);
  node.pass(2000);
  node.drain();
  fencedAt(node, peer, node.now, true);
  const { told, asked } = node.drain();
  expect(told).toContainEqual(expect.objectContaining({ type: 'guard.refused', what: 'fence-peer' }));
  expect(asked).toEqual([]);
});

test('what audits have found out is told to an sm that starts later', () => {
  const node = fenced();
  const audit = { arbiter: 'bmc', cause: null, reason: '', checkedAt: 1, tookMs: 1 } as const;
  const tell = (tie: 'tied' | 'open') =>
    node.step({
      type: 'arbiter.told',
      message: { type: 'readiness', readiness: { ...audit, ready: true, tie } },
    });
  tell('tied');
  tell('open');
  node.step({ type: 'arbiter.gone', reason: 'killed' });
  node.drain();
  node.step({ type: 'sm.gone', reason: 'killed' });
  node.step({ type: 'sm.connected' });
  const { told } = node.drain();
  expect(told).toContainEqual({ type: 'guard.readiness', readiness: { ...audit, ready: true, tie: 'tied' } });
});

test('who has not heard its peer since its start may not fence, and says why', () => {
  const node = fenced();
  node.pass(3000);
  node.drain();
  node.step({ type: 'sm.fence-peer', window: null, kernelLife: '', tied: ['bmc'] });
  const { told, asked } = node.drain();
  expect(asked).toEqual([]);
  expect(told).toContainEqual(expect.objectContaining({ type: 'guard.refused', what: 'fence-peer' }));
});

test('an operator is not believed while the peer is heard', () => {
  const node = new Node({ regime: 'stay' });
  new FakePeer(node).talk(600);
  node.step({ type: 'sm.confirm-dead', by: 'somebody' });
  expect(node.drain().told).toContainEqual(
    expect.objectContaining({ type: 'guard.refused', what: 'confirm-dead', reason: 'it is heard' }),
  );
  node.pass(2000);
  node.step({ type: 'sm.confirm-dead', by: 'somebody' });
  expect(node.drain().told).toContainEqual(
    expect.objectContaining({ type: 'guard.granted', ground: 'death' }),
  );
});

describe('a peer that was let in by the word of this node, and has ended', () => {
  const leaving = { type: 'sm.report', version: 1, parts: [], announceNumber: 0, leaving: true } as const;
  const words = (node: Node) =>
    node.drain().told.filter((fact) => fact.type === 'guard.granted' && fact.ground === 'word');

  function met(regime: 'stay' | 'fence' | 'record' = 'stay') {
    const node = new Node({ regime });
    const peer = new FakePeer(node);
    peer.talk(1000);
    node.step(leaving);
    peer.report(1, emptyReport({ domainState: 'leader' }));
    return { node, peer };
  }
  const end = (peer: FakePeer) => peer.report(2, emptyReport({ domainState: 'other' }), { leaving: true });

  test.each([
    'stay',
    'fence',
  ] as const)('%s: lets it in when it is silent and the word is taken back', (regime) => {
    const { node, peer } = met(regime);
    end(peer);
    node.pass(3000);
    expect(words(node)).toEqual([]);
    node.say(0);
    node.pass(250);
    expect(words(node)).toHaveLength(1);
    // Again after each word, and never after a sign of life.
    node.step(leaving);
    node.say(0);
    expect(words(node)).toHaveLength(1);
    peer.send({ reportVersion: 3, leaving: false });
    node.pass(3000);
    node.step(leaving);
    node.say(0);
    node.pass(1000);
    expect(words(node)).toEqual([]);
  });

  test('taken back before it is silent: told in the breath in which it is', () => {
    const { node, peer } = met();
    node.say(0);
    end(peer);
    node.drain();
    node.pass(3000);
    const kinds = node.drain().told.map(({ type }) => type);
    expect(kinds.indexOf('guard.granted')).toBeGreaterThanOrEqual(0);
    expect(kinds.indexOf('guard.granted')).toBeLessThan(kinds.indexOf('guard.peer'));
  });

  test.each([
    [
      'its store fails',
      (peer: FakePeer) => peer.report(2, emptyReport({ domainState: 'leader' }), { leaving: true }),
    ],
    [
      'it ends, and is not leaving any more',
      (peer: FakePeer) => peer.report(2, emptyReport({ domainState: 'other' })),
    ],
    [
      'it says more than has come',
      (peer: FakePeer) => {
        end(peer);
        peer.send({ leaving: true, reportVersion: 3 });
      },
    ],
    [
      'somebody else speaks in its name',
      (peer: FakePeer) => {
        end(peer);
        peer.send({ processLife: life('another'), echoLife: life('nobody') });
      },
    ],
  ] as const)('not where %s', (_, says) => {
    const { node, peer } = met();
    says(peer);
    node.say(0);
    node.pass(5000);
    expect(words(node)).toEqual([]);
  });

  test('not in a domain with a record, nor where this node gave no word', () => {
    const { node, peer } = met('record');
    end(peer);
    node.say(0);
    node.pass(5000);
    expect(words(node)).toEqual([]);

    const calm = new Node({ regime: 'stay' });
    const other = new FakePeer(calm);
    other.talk(1000);
    end(other);
    calm.pass(5000);
    expect(words(calm)).toEqual([]);
  });
});

test('a node that leaves, or whose sm is away for too long, lets its keeper rest', () => {
  const node = record();
  node.step({ type: 'sm.report', version: 1, parts: [], announceNumber: 0, leaving: true, grant: 0 });
  expect(node.drain().asked).toContainEqual({ type: 'rest', resting: true });
  node.say(0);
  expect(node.drain().asked).toContainEqual({ type: 'rest', resting: false });
});
