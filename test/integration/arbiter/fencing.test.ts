/** The fencing of sm-arbiter with agents that are shell scripts: which devices are used, what ends a run, what follows it. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Readiness } from '../../../src/core/arbiter/interface.ts';
import type { ShotWindow } from '../../../src/core/arbiter/shot-window.ts';
import type { FenceThen } from '../../../src/core/kernel/names.ts';
import { endAgents } from '../../../src/shell/arbiter/agent-process.ts';
import type { FromArbiter } from '../../../src/shell/arbiter/messages.ts';
import { ArbiterService } from '../../../src/shell/arbiter/service.ts';
import type { Time } from '../../../src/shell/ports.ts';
import { realTime } from '../../../src/shell/time.ts';

const LIMIT_MS = 20_000;
const DEAD_INTERVAL_MS = 12_345;
const METADATA =
  '<resource-agent name="x"><actions><action name="off"/><action name="on"/><action name="status"/></actions></resource-agent>';

let folder: string;
let service: ArbiterService;
let told: FromArbiter[];
const waiting = new Set<() => void>();
/** What is to be done when a peer without power would not be heard any more; each is held until a test lets it go on. */
let silences: (() => void)[];
/** What the service put off for 5 s: an audit after one that found a device of no use. */
let again: (() => void)[];
const time: Time = {
  ...realTime,
  after: (delayMs, work) => {
    const held = { [2 * DEAD_INTERVAL_MS]: silences, 5000: again }[delayMs];
    if (held === undefined) return realTime.after(delayMs, work);
    held.push(work);
    for (const look of [...waiting]) look();
    return () => void held.splice(held.indexOf(work), held.includes(work) ? 1 : 0);
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-fencing-'));
  told = [];
  silences = [];
  again = [];
});
afterEach(() => {
  service.stop();
  endAgents();
  rmSync(folder, { recursive: true, maxRetries: 5 });
});

/** A machine whose power is a file. `lag`: how long it takes to switch off, s. */
function machine(power: 'on' | 'off', lag = 0): void {
  writeFileSync(join(folder, 'power'), power);
  const script = `#!/bin/sh
read -r action
cd ${folder}
case $action in
  action=metadata) echo '${METADATA}' ;;
  action=status) echo "Status: $(tr a-z A-Z < power)"; [ "$(cat power)" = on ] || exit 2 ;;
  action=off) touch shot; sleep ${lag}; echo off > power ;;
  action=on) touch powered-on; echo on > power ;;
esac
`;
  const path = join(folder, 'fence_file');
  writeFileSync(path, script);
  chmodSync(path, 0o755);
}

function start(afterwards: FenceThen = 'off'): void {
  const device = {
    name: 'bmc',
    node: 'controller-1',
    level: 1,
    agent: 'fence_file',
    parameters: [],
    secrets: [],
    statusLimitMs: 5000,
    offLimitMs: 5000,
    verifyLimitMs: 5000,
  };
  const fencing = { delayMs: 0, afterwards, verifyGapMs: 20, auditIntervalMs: 600_000, devices: [device] };
  // What one of an earlier test still says is nobody's.
  const mine = told;
  service = new ArbiterService({
    plan: {
      node: 'controller-0',
      peer: 'controller-1',
      ordinal: 0,
      domain: { name: 'controller', deadIntervalMs: DEAD_INTERVAL_MS, stopBoundMs: 300 },
      addresses: {},
      arbiters: { etcd: null, disk: null, fencing, gateways: [] },
      secretsDirectory: '/nonexistent',
      agentsDirectory: folder,
      diskLock: '',
      kernelLife: 'kernel-0',
      knownRegister: '',
    },
    tell: (message) => {
      mine.push(message);
      for (const look of [...waiting]) look();
    },
    environment: {},
    time,
    startDisk: () => {
      throw new Error('there is no disk');
    },
  });
  service.start();
}

/** The peer as sm-watchdog hears it: in both directions, or only its frames arrive. */
function word(heard: boolean, lastReceiptAt: number): void {
  const exchanged = heard;
  const peer = { heard, exchanged, leaving: false, lastReceiptAt, permissionMs: 50, stopBoundMs: 300 };
  service.receive({ type: 'peer', word: peer, productUuid: 'machine-1' });
}

/** As soon as there is one. */
function soon<Found>(what: string, find: () => Found | undefined): Promise<Found> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what}: ${JSON.stringify(told)}`)), LIMIT_MS);
    const look = (): void => {
      const found = find();
      if (found === undefined) return;
      clearTimeout(timer);
      waiting.delete(look);
      resolve(found);
    };
    waiting.add(look);
    look();
  });
}

type Told<T extends FromArbiter['type']> = Extract<FromArbiter, { type: T }>;

function next<T extends FromArbiter['type']>(
  type: T,
  fits: (message: Told<T>) => boolean = () => true,
): Promise<Told<T>> {
  const isNext = (message: FromArbiter): message is Told<T> =>
    message.type === type && fits(message as Told<T>);
  return soon(type, () => told.find(isNext));
}

const silence = (): Promise<() => void> => soon('wait for silence', () => silences.shift());
const audited = (tie: Readiness['tie']) => next('readiness', ({ readiness }) => readiness.tie === tie);
const fence = (tied: readonly string[] = [], window: ShotWindow | null = null) =>
  service.receive({ type: 'fence', kernelLife: 'kernel-1', window, tied });

test('whose a device is shows as soon as the peer is heard; then it is used', async () => {
  machine('on');
  start();
  await audited('open');
  word(true, realTime.now());
  await audited('tied');
  word(false, realTime.now());
  fence();
  const { result, proof } = await next('fenced');
  expect(result.outcome).toBe('fenced');
  expect(proof).toMatchObject({ kernelLife: 'kernel-1', at: result.provenAt });
});

test('a device that was of no use is looked at again soon, and one that is in order is not', async () => {
  machine('on');
  const path = join(folder, 'fence_file');
  const script = readFileSync(path, 'utf8');
  writeFileSync(path, script.replace('action=status)', 'action=status) exit 1 ;; action=was)'));
  start();
  word(true, realTime.now());
  expect((await audited('open')).readiness).toMatchObject({ ready: false });
  await new Promise(setImmediate);
  const [lookAgain, ...others] = again.splice(0);
  expect(others).toEqual([]);
  writeFileSync(path, script);
  told.length = 0;
  lookAgain?.();
  expect((await audited('tied')).readiness).toMatchObject({ ready: true });
  await new Promise(setImmediate);
  expect(again).toEqual([]);
});

test('one that was never seen to be the peer s is not used, unless a process before has seen it', async () => {
  machine('off');
  start();
  await audited('open');
  fence();
  expect((await next('fenced')).result).toMatchObject({ outcome: 'failed' });
  told.length = 0;
  fence(['bmc']);
  expect((await next('fenced')).result).toMatchObject({ outcome: 'already-off' });
});

test('one that read off while the peer was heard proves nothing, whoever vouches for it', async () => {
  machine('off');
  start();
  await audited('open');
  word(true, realTime.now());
  (await silence())();
  expect((await audited('foreign')).readiness).toMatchObject({ ready: false, cause: 'lying' });
  word(false, realTime.now());
  fence(['bmc']);
  expect((await next('fenced')).proof).toBeNull();
  expect(existsSync(join(folder, 'shot'))).toBe(false);
});

test.each([
  ['is not heard any more', false, 'open'],
  ['is heard on', true, 'foreign'],
])('read off, and the peer %s when that would be known', async (_then, heard, tie) => {
  machine('off');
  start();
  word(true, realTime.now());
  const lookAgain = await silence();
  expect(told).toEqual([]);
  word(heard, realTime.now());
  lookAgain();
  expect((await next('readiness')).readiness).toMatchObject({ ready: tie === 'open', tie });
});

test('a frame in one direction ends a run that waits for its shot', async () => {
  machine('on');
  start();
  word(false, realTime.now());
  fence(['bmc'], { from: realTime.now() + 600_000, until: realTime.now() + 700_000, budgets: [] });
  word(false, realTime.now() + 1);
  expect((await next('fenced')).result).toMatchObject({ outcome: 'cancelled' });
  expect(existsSync(join(folder, 'shot'))).toBe(false);
});

test('a frame after the readings were asked for voids the proof', async () => {
  machine('off');
  start();
  word(false, realTime.now());
  fence(['bmc']);
  // Before the first reading it would end the run: sm-watchdog may be told later than it came.
  const { result } = await next('fenced');
  expect(result.provenAt).not.toBeNull();
  told.length = 0;
  fence(['bmc']);
  word(false, realTime.now() + LIMIT_MS);
  expect((await next('fenced')).proof).toBeNull();
});

test.each<[FenceThen, boolean]>([
  ['on', true],
  ['off', false],
])('FENCE_THEN %s: switched on again only when the peer is replaced', async (afterwards, again) => {
  machine('on');
  start(afterwards);
  word(false, realTime.now());
  fence(['bmc']);
  await next('fenced');
  expect(existsSync(join(folder, 'powered-on'))).toBe(false);
  told.length = 0;
  service.receive({ type: 'replaced' });
  // Nothing else is asked of the device meanwhile: what follows comes after it.
  for (const end = realTime.now() + 5000; again && realTime.now() < end; ) {
    if (existsSync(join(folder, 'powered-on'))) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(existsSync(join(folder, 'powered-on'))).toBe(again);
});
