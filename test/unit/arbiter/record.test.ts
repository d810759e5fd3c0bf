import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProofOfDeath, UNHEARD } from '../../../src/core/arbiter/proof.ts';
import { marginMs, Quiet, quietMs } from '../../../src/core/arbiter/quiet.ts';
import {
  readRecord,
  readSector,
  readStamp,
  recordText,
  remembering,
  sectorText,
  stampText,
} from '../../../src/core/arbiter/record.ts';
import { contradiction, covers, groupsFor } from '../../../src/core/arbiter/recorded-groups.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:@-]{0,30}$/);
const id = fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/);
const count = fc.nat();
const stamp = { kernelLife: id, nonce: id, permissionMs: count, stopBoundMs: count };
const mode = fc.constantFrom('leased' as const, 'sole' as const);
const record = fc.record({
  number: count,
  leader: name,
  mode,
  groups: fc.array(fc.record({ group: name, holder: fc.oneof(name, fc.constant('')), activation: count }), {
    maxLength: 5,
  }),
  nonce: id,
  register: id,
});
const sector = fc.record({
  ...stamp,
  node: name,
  number: count,
  mode,
  claim: count,
  holds: fc.array(fc.record({ group: name, activation: count }), { maxLength: 5 }),
});

test('what was written is read', () => {
  fc.assert(
    fc.property(record, fc.record(stamp), sector, (one, two, three) => {
      expect(readRecord(recordText(one))).toEqual({ ok: true, value: one });
      expect(readStamp(stampText(two))).toEqual({ ok: true, value: two });
      expect(readSector(sectorText(three))).toEqual({ ok: true, value: three });
    }),
  );
});

test('anything else is said to be unreadable and never thrown', () => {
  const hostile = fc.oneof(
    fc.string(),
    fc.json(),
    fc.tuple(record, fc.nat(400)).map(([each, at]) => recordText(each).slice(0, at)),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      for (const reader of [readRecord, readStamp, readSector]) {
        const told = reader(text);
        if (!told.ok) expect(told.reason).not.toBe('');
      }
    }),
  );
  expect(readRecord('x'.repeat(300_000))).toMatchObject({ ok: false });
});

test('a newer version is read as long as it says that it can be', () => {
  const text = stampText({ kernelLife: 'k', nonce: 'n', permissionMs: 1, stopBoundMs: 1 });
  const version = (version: number, readableBy: number) =>
    readStamp(JSON.stringify({ ...JSON.parse(text), version, readableBy, more: true }));
  expect(version(7, 1).ok).toBe(true);
  expect(version(7, 2)).toEqual({ ok: false, reason: 'needs a program of record version 2, this one is 1' });
});

test('shipped numbers: m = 130 ms, P + S + m = 1230 ms', () => {
  expect(marginMs(800, 300)).toBe(130);
  expect(quietMs(800, 300)).toBe(1230);
});

test('quiet counts from the later of the last frame and the last move that was seen, with the largest P and S announced', () => {
  const quiet = new Quiet(1000, 800, 300);
  expect(quiet.overAt).toBe(2230);
  expect(quiet.stamped('a', 800, 300, 1100)).toBe(false);
  expect(quiet.stamped('a', 800, 300, 1300)).toBe(false);
  expect([quiet.since, quiet.moves]).toEqual([1100, false]);
  expect(quiet.stamped('b', 800, 300, 1400)).toBe(true);
  expect([quiet.since, quiet.moves]).toEqual([1400, true]);
  quiet.heard({
    heard: true,
    exchanged: true,
    leaving: false,
    lastReceiptAt: 1500,
    permissionMs: 1800,
    stopBoundMs: 300,
  });
  expect(quiet.since).toBe(1500);
  quiet.heard({
    heard: false,
    exchanged: false,
    leaving: false,
    lastReceiptAt: 1500,
    permissionMs: 800,
    stopBoundMs: 300,
  });
  expect(quiet.overAt).toBe(1500 + quietMs(1800, 300));
});

test('a proof is about one life, void at a sign of life, and serves once', () => {
  const proof = (kernelLife: string) => ({ kernelLife, by: 'test', at: 0 });
  const proofs = new ProofOfDeath();
  proofs.heard('one', 10);
  expect(proofs.offer(proof('two'))).toBe(false);
  expect(proofs.offer(proof(UNHEARD))).toBe(false);
  expect(proofs.offer(proof('one'))).toBe(true);
  // Its old stamp lies there still: that is no sign of life.
  proofs.found('one');
  expect(proofs.proof).not.toBeNull();
  proofs.heard('two', 20);
  expect(proofs.proof).toBeNull();
  // A stamp of the life before, found by a node that is cut off, does not bring the old proof back.
  proofs.found('one');
  expect(proofs.offer(proof('one'))).toBe(false);
  proofs.offer(proof('two'));
  proofs.use();
  expect(proofs.proof).toBeNull();
});

test('a lone starter has a proof of "unheard since my start", until anything is heard', () => {
  const proofs = new ProofOfDeath();
  expect(proofs.offer({ kernelLife: UNHEARD, by: 'operator', at: 0 })).toBe(true);
  proofs.found('one');
  expect(proofs.proof).not.toBeNull();
  proofs.heard('one', 10);
  expect(proofs.proof).toBeNull();
});

test('a proof that is later than a stamp of which no frame came is about the life of the stamp', () => {
  const proofs = new ProofOfDeath();
  const proof = (kernelLife: string, at: number) => ({ kernelLife, by: 'fence', at });
  proofs.heard('one', 5);
  proofs.moved('two', 10);
  expect(proofs.offer(proof('one', 10))).toBe(false);
  expect(proofs.offer(proof('another', 11))).toBe(false);
  expect(proofs.offer(proof('one', 11))).toBe(true);
  proofs.sign(12);
  expect(proofs.proof).toBeNull();
  expect(proofs.offer(proof('one', 11))).toBe(false);
  proofs.heard('two', 13);
  expect(proofs.offer(proof('one', 14))).toBe(false);
});

const entry = (group: string, holder: string, activation: number) => ({ group, holder, activation });
const base = { number: 1, leader: 'a', mode: 'leased' as const, nonce: 'n', register: 'r' };

test.each([
  [[entry('g', 'a', 3)], '', true],
  [[entry('g', 'b', 3)], 'the record gives g to b', false],
  [[entry('g', '', 3)], 'the record gives g to nobody', false],
  [[entry('g', 'b', 4)], 'the record has g under 4, this node under 3', false],
  // Older than the holder: it forbids nothing, and covers nothing.
  [[entry('g', 'b', 2)], '', false],
  [[], '', false],
])('record %j against a holder of 3', (groups, forbids, counts) => {
  const holds = [{ group: 'g', activation: 3 }];
  expect(contradiction({ ...base, groups }, 'a', holds)).toBe(forbids);
  expect(covers({ ...base, groups }, 'a', holds)).toBe(counts);
});

test('what is the same as before is not read again, and what differs is', () => {
  const texts: string[] = [];
  const read = remembering((text) => {
    texts.push(text);
    return readStamp(text);
  });
  const one = stampText({ kernelLife: 'k', nonce: 'n', permissionMs: 1, stopBoundMs: 1 });
  const first = read(one);
  expect(read(one)).toBe(first);
  expect(read('{}').ok).toBe(false);
  expect(read(one)).toEqual(first);
  expect(texts).toEqual([one, '{}', one]);
});

test('activations never go back, and in a cut the peer keeps what the record gives it', () => {
  const wish = { leads: true, number: 1, holds: [], groups: [entry('g', 'a', 5), entry('h', 'a', 1)] };
  expect(groupsFor([entry('g', 'b', 4), entry('h', 'a', 2)], wish, 'a', false)).toEqual([
    entry('g', 'b', 4),
    entry('h', 'a', 2),
  ]);
  expect(groupsFor([entry('g', 'b', 4), entry('h', 'a', 2)], wish, 'a', true)).toEqual([
    entry('g', 'a', 5),
    entry('h', 'a', 2),
  ]);
});
