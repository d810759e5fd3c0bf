import { Duplex, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { NO_PROOF } from '../../../src/core/guard/interface.ts';
import { KillList } from '../../../src/shell/exec/kill-list.ts';
import { toJson } from '../../../src/shell/json.ts';
import { type KnownLives, NO_LIVES } from '../../../src/shell/pair/messages.ts';
import { type WatchdogOptions, WatchdogProcess } from '../../../src/shell/watchdog/process.ts';
import type { Wire } from '../../../src/shell/watchdog/wire.ts';
import { DOMAIN, life } from '../../support/guard-driver.ts';
import { FakeTime, silentLog } from './fakes.ts';

/** A watchdog with these parts; the others do nothing. */
function makeWatchdog(parts: Partial<WatchdogOptions>, time = new FakeTime()): WatchdogProcess {
  return new WatchdogProcess({
    guard: {
      node: 'controller-0',
      peer: null,
      clusterId: '00'.repeat(8),
      domain: DOMAIN,
      interfaces: [],
      processLife: life('own'),
      kernelLife: life('own kernel'),
      productUuid: life('own machine'),
      copyExpected: true,
    },
    wire: null,
    arbiter: null,
    killList: new KillList(),
    selfFence: () => ({ fire: () => {}, alive: () => {}, close: () => {} }),
    startSm: () => ({ stream: new PassThrough(), end: () => {}, alive: () => true, pid: 2 }),
    adopted: null,
    remains: { add() {}, remove() {}, clear() {}, lives() {}, keep() {}, forget() {} },
    inherited: () => null,
    page: null,
    basis: '',
    serviceManager: { ready: () => {}, alive: () => {}, stopping: () => {} },
    exit: () => {},
    time: {
      now: () => time.now(),
      defer: (work) => time.defer(work),
      after: (delayMs, work) => time.after(delayMs, work),
    },
    log: silentLog,
    ...parts,
  });
}

test('takes the copy in before it listens: what was recorded is no news then', async () => {
  const journal: string[] = [];
  const wire = {
    start: () => journal.push('start'),
    recall: (lives: KnownLives) => journal.push(`recall ${lives.peer.ended.join()}`),
    lives: () => NO_LIVES,
    watchClosely: () => {},
    look: () => {},
    tend: async () => {},
  } as unknown as Wire;
  const adopted = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  makeWatchdog({ wire: () => wire, adopted }).start();
  expect(journal).toEqual([]);
  const lives: KnownLives = { own: [], peer: { ended: ['x'], current: null } };
  const copy = { deadline: 0, lost: false, holding: false, entries: [], lives, proof: NO_PROOF };
  adopted.push(`${toJson({ type: 'life', process: { pid: 5_000_000, startTime: '1' }, copy })}\n`);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(journal).toEqual(['recall x', 'start']);
});

test('listens also where the sm that had the copy is no more', async () => {
  let started = 0;
  const wire = {
    start: () => void started++,
    lives: () => NO_LIVES,
    look: () => {},
    tend: async () => {},
  } as unknown as Wire;
  const adopted = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  makeWatchdog({ wire: () => wire, adopted }).start();
  adopted.destroy();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(started).toBe(1);
});

test('a pid file that can not be read on a hung mount keeps no sign of life from systemd', () => {
  const time = new FakeTime();
  let alive = 0;
  let looks = 0;
  class HungKillList extends KillList {
    override refresh(): Promise<void> {
      looks += 1;
      return new Promise(() => {});
    }
  }
  const serviceManager = {
    ready: () => {},
    alive: () => {
      alive += 1;
    },
    stopping: () => {},
  };
  const watchdog = makeWatchdog({ killList: new HungKillList(), serviceManager }, time);
  watchdog.start();
  time.advance(5000);
  expect(alive).toBeGreaterThanOrEqual(5);
  expect(looks).toBe(1);
  // In the wake-ups of the hellos.
  expect(time.expired).toBe(5000 / DOMAIN.helloIntervalMs);
});

test('the order of sm to end the node fires the self-fence, once, and kills what is on the list before', async () => {
  const journal: string[] = [];
  class KillJournal extends KillList {
    override kill(): string[] {
      journal.push('kill list');
      return [];
    }
  }
  const adopted = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  makeWatchdog({
    adopted,
    killList: new KillJournal(),
    selfFence: (killRecorded) => ({
      fire: (reason) => {
        killRecorded();
        journal.push(`fire: ${reason}`);
      },
      alive: () => {},
      close: () => journal.push('close'),
    }),
    remains: {
      add() {},
      remove() {},
      clear() {},
      lives() {},
      keep() {},
      forget: () => journal.push('forget'),
    },
  }).start();
  const copy = { deadline: 0, lost: false, holding: false, entries: [], lives: NO_LIVES, proof: NO_PROOF };
  const order = { type: 'event', event: { type: 'sm.fence', reason: 'web has failed for good' } };
  adopted.push(`${toJson({ type: 'life', process: { pid: 5_000_000, startTime: '1' }, copy })}\n`);
  adopted.push(`${toJson(order)}\n${toJson(order)}\n`);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(journal).toEqual(['forget', 'kill list', 'fire: web has failed for good']);
});
