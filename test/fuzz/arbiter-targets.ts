/** What arbiters answer: etcd over the network, and the process of a disk. A keeper lives through all of it. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { DiskKeeper } from '../../src/core/arbiter/disk-keeper.ts';
import {
  type DiskReply,
  type DiskRequest,
  type KeeperEffect,
  type KeeperEvent,
  type KeeperOptions,
  RECORD_KEY,
  type RegisterReply,
  type RegisterRequest,
  stampKey,
} from '../../src/core/arbiter/interface.ts';
import { recordText, sectorText, stampText } from '../../src/core/arbiter/record.ts';
import { RegisterKeeper } from '../../src/core/arbiter/register-keeper.ts';
import { readDiskWord } from '../../src/shell/arbiter/disk-process.ts';
import { transactionReply } from '../../src/shell/arbiter/etcd.ts';
import { hostileJson, hostileText, nearJson } from '../support/hostile.ts';
import { type Target, target } from './target.ts';

const PREFIX = '/sm/controller/';
const OPTIONS: KeeperOptions = {
  node: 'a',
  peer: 'b',
  permissionMs: 800,
  stopBoundMs: 300,
  kernelLife: 'ab'.repeat(16),
  instance: 'i',
  intervalMs: 200,
  limitMs: 200,
};
const WISH = { leads: true, number: 3, groups: [{ group: 'g', holder: 'a', activation: 2 }] };

const stamp = (nonce: string) => ({
  kernelLife: 'cd'.repeat(16),
  nonce,
  permissionMs: 800,
  stopBoundMs: 300,
});
const RECORD = recordText({
  number: 3,
  leader: 'a',
  mode: 'leased',
  groups: [{ group: 'g', holder: 'a', activation: 2 }],
  nonce: 'i.1',
  register: '77',
});
const OWN = stampText(stamp('i.1'));
const PEER = stampText(stamp('j.1'));
const SECTOR = sectorText({
  ...stamp('j.1'),
  node: 'b',
  number: 9,
  mode: 'sole',
  claim: 2,
  holds: [{ group: 'g', activation: 2 }],
});

function etcdAnswer(texts: Readonly<Record<string, string>>): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const kvs = Object.entries(texts).map(([name, text]) => ({
    key: base64(PREFIX + name),
    mod_revision: '7',
    value: base64(text),
  }));
  const header = { cluster_id: '77', revision: '7' };
  return JSON.stringify({ header, succeeded: true, responses: [{ response_range: { header, kvs } }] });
}

/** Contents near good ones, in an answer that is whole. */
function hostileContents(): fc.Arbitrary<string> {
  const near = (good: string) => hostileText([good], ['{', '"', ':', ',', '9', '"mode":"sole"'], 2000);
  return fc
    .record(
      {
        [RECORD_KEY]: near(RECORD),
        [stampKey('a')]: near(OWN),
        [stampKey('b')]: near(PEER),
        other: fc.string(),
      },
      { requiredKeys: [] },
    )
    .map((texts) => etcdAnswer(texts as Record<string, string>));
}

interface AnyKeeper<Reply> {
  start(now: number): void;
  step(event: KeeperEvent<Reply>, now: number): void;
}

/** Each request of the keeper is answered with the next reply; in between its timers run out. */
function live<Request, Reply>(
  make: (emit: (effect: KeeperEffect<Request>) => void) => AnyKeeper<Reply>,
  replies: readonly (Reply | null)[],
): void {
  let asked = 0;
  let timer: KeeperEvent<Reply> | null = null;
  const keeper = make((effect) => {
    if (effect.type === 'ask') asked = effect.request;
    if (effect.type === 'timer') timer = effect.at === null ? null : { ...effect, type: 'timer' };
  });
  keeper.start(0);
  keeper.step({ type: 'wish', wish: { ...WISH, holds: [{ group: 'g', activation: 2 }] } }, 0);
  let now = 0;
  for (const value of replies) {
    const dated = { askedAt: now, answeredAt: now + 50 };
    now += 50;
    const answer =
      value === null
        ? ({ kind: 'unknown', ...dated, cause: 'protocol', detail: 'hostile' } as const)
        : ({ kind: 'known', ...dated, value } as const);
    keeper.step({ type: 'answer', request: asked, answer }, now);
    now += 1500;
    if (timer !== null) keeper.step(timer, now);
  }
}

const GOOD_ANSWER: unknown = JSON.parse(
  etcdAnswer({ [RECORD_KEY]: RECORD, [stampKey('a')]: OWN, [stampKey('b')]: PEER }),
);
const toText = (value: unknown): string => JSON.stringify(value) ?? '';
/** Sound in an answer, but for one value inside one of them. */
const nearContents = fc
  .tuple(
    nearJson([JSON.parse(RECORD)], ['sole', 'a', 'b']),
    nearJson([JSON.parse(OWN), JSON.parse(PEER)], ['i.1', 'j.2']),
  )
  .map(([record, stamp]) => etcdAnswer({ [RECORD_KEY]: toText(record), [stampKey('b')]: toText(stamp) }));

export const ARBITER_TARGETS: readonly Target[] = [
  target(
    'answers of etcd',
    () =>
      fc.array(
        fc.oneof(
          hostileContents(),
          nearContents,
          nearJson([GOOD_ANSWER], ['77', 'kvs']).map(toText),
          hostileText([etcdAnswer({ record: RECORD })], ['{', '[', '"', '"kvs":', '"header":', ','], 4000),
          hostileJson(['header', 'cluster_id', 'responses', 'response_range', 'kvs', 'key', 'value']).map(
            toText,
          ),
        ),
        { maxLength: 6 },
      ),
    (texts) => {
      const replies = texts.map((text) => transactionReply(text, PREFIX));
      for (const reply of replies)
        for (const [name, seen] of reply?.entries ?? [])
          expect([typeof name, typeof seen.text, typeof seen.revision]).toEqual(Array(3).fill('string'));
      live<RegisterRequest, RegisterReply>(
        (emit) => new RegisterKeeper({ ...OPTIONS, knownRegister: '77' }, 0, emit),
        replies,
      );
    },
  ),
  target(
    'words of the process of a disk, and sectors',
    () =>
      fc.array(
        fc.oneof(
          nearJson([JSON.parse(SECTOR)], ['sole', 'b', 'i.1']).map((sector) =>
            toText({ id: 1, ok: true, own: SECTOR, peer: toText(sector) }),
          ),
          nearJson([{ id: 1, ok: true, own: SECTOR, peer: '' }], ['timeout']).map(toText),
          hostileText([SECTOR], ['{', '"', ':', ',', '9', '"mode":"sole"'], 2000).map((peer) =>
            JSON.stringify({ id: 1, ok: true, own: SECTOR, peer }),
          ),
          hostileText(
            ['{"id":1,"ok":true,"own":"","peer":""}', '{"id":1,"ok":false,"cause":"timeout","detail":"x"}'],
            ['{', '"id":', 'true', 'null', '"', ','],
          ),
          hostileJson(['id', 'ok', 'own', 'peer', 'cause', 'timeout', 'detail']).map(toText),
        ),
        { maxLength: 6 },
      ),
    (lines) => {
      const words = lines.map(readDiskWord);
      live<DiskRequest, DiskReply>(
        (emit) => new DiskKeeper(OPTIONS, 0, emit),
        words.map((word) => (word?.ok === true ? word : null)),
      );
    },
  ),
];
