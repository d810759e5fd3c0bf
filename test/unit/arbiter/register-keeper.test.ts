/** One keeper and a register, step by step: what it writes, and what it says of permission. */
import { beforeEach, describe, expect, test } from 'vitest';
import type {
  ArbiterFact,
  KeeperEffect,
  PeerWord,
  RegisterRequest,
} from '../../../src/core/arbiter/interface.ts';
import { readRecord, recordText, stampText } from '../../../src/core/arbiter/record.ts';
import { RegisterKeeper, type RegisterKeeperOptions } from '../../../src/core/arbiter/register-keeper.ts';
import { known, RegisterModel, unknown } from '../../../src/sim/register.ts';

const P = 800;
const QUIET = 1230;

/** Time moves in steps of 10 ms; answers take 5. */
class Node {
  readonly register: RegisterModel;
  readonly facts: ArbiterFact[] = [];
  readonly keeper: RegisterKeeper;
  /** `lost`: it never arrives. `unanswered`: it is done and the answer is lost. */
  fate: 'well' | 'lost' | 'unanswered' = 'well';
  /** Answers of sm-watchdog to `limit`. */
  limits = true;
  now: number;
  readonly asked: RegisterRequest[] = [];
  #work: { at: number; run: () => void }[] = [];

  constructor(register: RegisterModel, options: Partial<RegisterKeeperOptions> = {}, now = 0) {
    this.register = register;
    this.now = now;
    this.keeper = new RegisterKeeper(
      {
        node: 'a',
        peer: 'b',
        permissionMs: P,
        stopBoundMs: 300,
        kernelLife: 'kernel-a',
        instance: 'one',
        intervalMs: 200,
        limitMs: 200,
        knownRegister: '',
        ...options,
      },
      now,
      (effect) => this.#perform(effect),
    );
    this.keeper.start(now);
  }

  #perform(effect: KeeperEffect<RegisterRequest>): void {
    if (effect.type === 'fact') {
      const { fact } = effect;
      this.facts.push(fact);
      if (fact.type === 'arbiter.limit' && this.limits)
        this.#in(1, () => this.keeper.step({ type: 'limited', ticket: fact.ticket }, this.now));
      return;
    }
    if (effect.type === 'timer') {
      const { key, generation, at } = effect;
      if (at !== null)
        this.#work.push({ at, run: () => this.keeper.step({ type: 'timer', key, generation }, this.now) });
      return;
    }
    const { request, body, limitMs } = effect;
    this.asked.push(body);
    const askedAt = this.now;
    const { fate } = this;
    const reply = fate === 'lost' ? null : this.register.apply(body);
    this.#in(fate === 'well' ? 5 : limitMs, () => {
      const answer =
        fate === 'well' && reply !== null ? known(reply, askedAt, this.now) : unknown(askedAt, this.now);
      this.keeper.step({ type: 'answer', request, answer }, this.now);
    });
  }

  #in(ms: number, run: () => void): void {
    this.#work.push({ at: this.now + ms, run });
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

  word(heard: boolean, more: Partial<PeerWord> = {}): this {
    const lastReceiptAt = heard ? this.now : Number.NEGATIVE_INFINITY;
    const word = {
      heard,
      exchanged: heard,
      leaving: false,
      lastReceiptAt,
      permissionMs: P,
      stopBoundMs: 300,
      ...more,
    };
    this.keeper.step({ type: 'peer', word }, this.now);
    return this;
  }

  holds(activation: number, number = 1): this {
    const wish = {
      leads: true,
      number,
      groups: [{ group: 'g', holder: 'a', activation }],
      holds: [{ group: 'g', activation }],
    };
    this.keeper.step({ type: 'wish', wish }, this.now);
    return this;
  }

  /** Types that were told since the last look, each once in a row. */
  told(): string[] {
    const types = this.facts.splice(0).map(({ type }) => type.replace('arbiter.', ''));
    return types.filter((type, index) => type !== types[index - 1]);
  }

  record() {
    const read = readRecord(this.register.text('record'));
    return read.ok ? read.value : null;
  }
}

let register: RegisterModel;
beforeEach(() => {
  register = new RegisterModel();
});

let peerStamps = 0;
function nextStamp(): number {
  peerStamps += 1;
  return peerStamps;
}

/** The other node shows that it lives. */
function stampOfPeer(kernelLife = 'kernel-b'): void {
  register.put(
    'stamp/b',
    stampText({ kernelLife, nonce: `peer.${nextStamp()}`, permissionMs: P, stopBoundMs: 300 }),
  );
}

/** A pair that has met; this node leads and holds. */
function leader(options: Partial<RegisterKeeperOptions> = {}): Node {
  stampOfPeer();
  const node = new Node(register, options).word(true).holds(1).run(300);
  expect(node.record()).toMatchObject({
    leader: 'a',
    mode: 'leased',
    groups: [{ group: 'g', holder: 'a', activation: 1 }],
  });
  node.told();
  return node;
}

function soleHolder(): Node {
  const node = leader();
  node.word(false).run(QUIET + 300);
  expect(node.record()?.mode).toBe('sole');
  node.told();
  return node;
}

test('a renewal is dated with the moment it was asked for', () => {
  const node = leader();
  const from = node.now;
  node.run(1000);
  const renewals = node.facts.flatMap((fact) => (fact.type === 'arbiter.renewed' ? [fact.askedAt] : []));
  expect(renewals.length).toBeGreaterThanOrEqual(4);
  expect(renewals.every((askedAt) => askedAt >= from - 200 && askedAt <= node.now - 5)).toBe(true);
});

test('the record names another holder: what is held is lost', () => {
  const node = leader();
  const record = node.record()!;
  register.put(
    'record',
    recordText({
      ...record,
      leader: 'b',
      number: 9,
      nonce: 'x.1',
      groups: [{ group: 'g', holder: 'b', activation: 2 }],
    }),
  );
  expect(node.run(300).told()).toEqual(['numbers', 'lost', 'state']);
  expect(node.run(1000).told()).not.toContain('renewed');
});

test('a compare that was lost renews nothing', () => {
  const node = leader();
  register.put(
    'stamp/a',
    stampText({ kernelLife: 'kernel-a', nonce: 'stranger.1', permissionMs: P, stopBoundMs: 300 }),
  );
  expect(node.run(300).told()).toContain('lost');
  expect(node.facts.find(({ type }) => type === 'arbiter.renewed')).toBeUndefined();
  // While the stranger lives it is left alone; when its stamp stands still, ours is written again.
  expect(node.run(1000).register.text('stamp/a')).toContain('stranger.1');
  expect(node.run(1500).register.text('stamp/a')).toContain('one.');
});

describe('the peer is out', () => {
  test('sole, after P + S + m and not before', () => {
    const node = leader();
    node.word(false, { lastReceiptAt: node.now }).run(QUIET - 20);
    expect(node.record()?.mode).toBe('leased');
    node.run(60);
    expect(node.record()).toMatchObject({ mode: 'sole', leader: 'a' });
    expect(node.told()).toContain('granted');
  });

  test('its stamp moves: it is not out, and nothing moves', () => {
    const node = leader().word(false);
    for (let i = 0; i < 20; i += 1) {
      stampOfPeer();
      node.run(200);
    }
    expect(node.told()).toEqual(['renewed']);
  });

  test('with its own word at once', () => {
    const node = leader().word(true, { leaving: true }).run(30);
    expect(node.record()?.mode).toBe('sole');
    expect(node.facts).toContainEqual(expect.objectContaining({ type: 'arbiter.granted', ground: 'word' }));
  });

  test('the arbiter may be away then', () => {
    const node = soleHolder();
    node.fate = 'lost';
    expect(node.run(60_000).told()).toEqual(['state']);
    node.fate = 'well';
    expect(node.run(1000).told()).toEqual(['state', 'sole']);
  });

  test('a larger S that it announced while it lived is waited for', () => {
    const node = leader();
    node
      .word(true, { stopBoundMs: 1300 })
      .word(false, { lastReceiptAt: node.now })
      .run(QUIET + 500);
    expect(node.record()?.mode).toBe('leased');
    expect(node.run(1000).record()?.mode).toBe('sole');
  });
});

describe('the peer is let in again', () => {
  test('permission is made finite first, and leased carries a fresh stamp', () => {
    const node = soleHolder();
    node.limits = false;
    const before = register.text('stamp/a');
    node.word(true).run(500);
    expect(node.told()).toContain('limit');
    expect(node.record()?.mode).toBe('sole');
    node.limits = true;
    node.word(false).run(10);
    expect(node.told()).toContain('sole');
    node.word(true).run(300);
    expect(node.record()?.mode).toBe('leased');
    expect(register.text('stamp/a')).not.toBe(before);
    expect(node.told()).toEqual(['limit', 'numbers', 'renewed']);
  });

  test('leased without an answer: finite it stays, until a later write of ours succeeds', () => {
    const node = soleHolder();
    node.word(true);
    // The stamp before it is answered, leased itself is done and its answer is lost.
    for (let i = 0; i < 100 && node.record()?.mode === 'sole'; i += 1) {
      node.fate = node.facts.some(({ type }) => type === 'arbiter.limit') ? 'unanswered' : 'well';
      node.run(1);
    }
    expect(node.record()?.mode).toBe('leased');
    node.run(200);
    expect(node.keeper.view()).toMatchObject({ sole: false, unsettled: true });
    node.told();
    // The peer is gone again at once, and a read alone shows that `leased` was done.
    node.word(false, { lastReceiptAt: node.now }).fate = 'unanswered';
    expect(node.run(600).told()).not.toContain('sole');
    node.fate = 'well';
    expect(
      node
        .run(QUIET + 500)
        .told()
        .slice(0, 6),
    ).toEqual(['numbers', 'state', 'renewed', 'numbers', 'granted', 'sole']);
    expect(node.keeper.view()).toMatchObject({ sole: true, unsettled: false });
  });

  test('an arbiter that does not answer just then costs nothing: leased is not sent', () => {
    const node = soleHolder();
    node.fate = 'lost';
    node.run(500).word(true).run(5000);
    expect(node.told()).toEqual(['state']);
    expect(node.record()?.mode).toBe('sole');
  });
});

describe('who may replace the peer', () => {
  const recordOfPeer = (mode: 'leased' | 'sole') =>
    recordText({
      number: 5,
      leader: 'b',
      mode,
      groups: [{ group: 'g', holder: 'b', activation: 3 }],
      nonce: 'peer.r',
      register: 'register-1',
    });

  test.each([
    ['leased', 'time'],
    ['sole', null],
  ] as const)('a quiet peer whose record is %s: %s', (mode, ground) => {
    stampOfPeer();
    register.put('record', recordOfPeer(mode));
    const node = new Node(register).run(QUIET - 50);
    expect(node.told()).not.toContain('granted');
    node.run(5000);
    const granted = node.facts.find((fact) => fact.type === 'arbiter.granted');
    expect(granted?.type === 'arbiter.granted' ? granted.ground : null).toBe(ground);
    if (ground !== null) expect(node.record()).toMatchObject({ leader: 'a', mode: 'sole', number: 6 });
  });

  test('a proof of its death replaces the wait and its sole, once', () => {
    stampOfPeer();
    register.put('record', recordOfPeer('sole'));
    const node = new Node(register).run(100);
    node.keeper.step(
      { type: 'proof', proof: { kernelLife: 'kernel-b', by: 'fence', at: node.now } },
      node.now,
    );
    expect(node.run(50).record()).toMatchObject({ leader: 'a', mode: 'sole' });
    // It is born again and has taken the record, with the old proof gone.
    stampOfPeer('kernel-b2');
    register.put('record', recordText({ ...node.record()!, leader: 'b', number: 9, nonce: 'peer.s' }));
    node.told();
    node.run(5000);
    expect(node.told()).not.toContain('granted');
    expect(node.record()?.leader).toBe('b');
  });

  test('a proof of another life is none', () => {
    stampOfPeer();
    register.put('record', recordOfPeer('sole'));
    const node = new Node(register).run(100);
    node.keeper.step(
      { type: 'proof', proof: { kernelLife: 'kernel-b0', by: 'fence', at: node.now } },
      node.now,
    );
    expect(node.run(5000).record()?.leader).toBe('b');
  });

  test('a stamp between our look and our claim ends it: the claim compares both', () => {
    stampOfPeer();
    register.put('record', recordOfPeer('leased'));
    const node = new Node(register).run(1100);
    // From now on the peer stamps right before each request of ours arrives.
    const apply = register.apply.bind(register);
    register.apply = (request) => {
      if (request.put.length > 0)
        apply({
          expect: [],
          put: [
            {
              key: 'stamp/b',
              text: stampText({
                kernelLife: 'kernel-b',
                nonce: `peer.${nextStamp()}`,
                permissionMs: P,
                stopBoundMs: 300,
              }),
            },
          ],
        });
      return apply(request);
    };
    node.run(5000);
    expect(node.told()).not.toContain('granted');
  });
});

describe('a register that forgot', () => {
  test('emptied: nothing by time, until the pair has met', () => {
    const node = new Node(register, { knownRegister: 'register-1' }).run(5000);
    expect(node.told()).toEqual(['state', 'wants-proof']);
    expect(node.record()).toBeNull();
    expect(node.word(true).holds(1).run(300).record()).toMatchObject({ leader: 'a' });
  });

  test('of another identity: the same', () => {
    const node = leader();
    register.identity = 'register-2';
    node.word(false).run(5000);
    expect(node.record()?.mode).toBe('leased');
    node.word(true).run(300);
    expect(node.record()?.register).toBe('register-2');
  });

  test('restored to before our last stamp: the same', () => {
    const node = leader();
    const restore = register.snapshot();
    node.run(1000);
    restore();
    node.told();
    node.word(false).run(5000);
    expect(node.told()).not.toContain('granted');
    expect(node.record()?.mode).toBe('leased');
  });

  test('while we are sole: it is written anew', () => {
    const node = soleHolder();
    const empty = new RegisterModel();
    register.apply = empty.apply.bind(empty);
    node.run(1000);
    expect(empty.text('record')).toContain('"mode":"sole"');
    expect(node.told()).not.toContain('lost');
  });
});

describe('restarted with the record our own sole', () => {
  test('in the same kernel life: certain after a write', () => {
    soleHolder();
    const node = new Node(register, { instance: 'two' }, 100_000).run(50);
    expect(node.told()).toContain('sole');
  });

  test('in another one everything held is void: only after the quiet', () => {
    soleHolder();
    const node = new Node(register, { instance: 'two', kernelLife: 'kernel-a2' }, 100_000).run(QUIET - 50);
    expect(node.told()).not.toContain('sole');
    expect(node.run(200).told()).toContain('sole');
  });
});

test('content that is not ours is never written over', () => {
  register.put('record', 'somebody else');
  const node = new Node(register).word(true).holds(1).run(5000);
  expect(register.text('record')).toBe('somebody else');
  expect(node.facts).toContainEqual(expect.objectContaining({ type: 'arbiter.state', cause: 'protocol' }));
  expect(node.asked.every(({ put }) => put.length === 0)).toBe(true);
});
