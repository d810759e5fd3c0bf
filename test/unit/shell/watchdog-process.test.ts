import { Duplex, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type GuardOptions, NO_PROOF } from '../../../src/core/guard/interface.ts';
import { KillList } from '../../../src/shell/exec/kill-list.ts';
import { toJson } from '../../../src/shell/json.ts';
import { type Copy, type KnownLives, NO_LIVES } from '../../../src/shell/pair/messages.ts';
import { STOP_LIMIT_MS, type WatchdogOptions, WatchdogProcess } from '../../../src/shell/watchdog/process.ts';
import type { Wire } from '../../../src/shell/watchdog/wire.ts';
import { DOMAIN, entry, life } from '../../support/guard-driver.ts';
import { FakeTime, silentLog } from './fakes.ts';

/** A watchdog with these parts; the others do nothing. */
function makeWatchdog(
  { guard, ...parts }: Partial<Omit<WatchdogOptions, 'guard'>> & { guard?: Partial<GuardOptions> },
  time = new FakeTime(),
): WatchdogProcess {
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
      ...guard,
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

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

class JournalOfKills extends KillList {
  readonly #journal: string[];
  /** What can not be killed. */
  survivors: string[] = [];

  constructor(journal: string[]) {
    super();
    this.#journal = journal;
  }

  override kill(services: readonly string[]): string[] {
    this.#journal.push(`kill ${services.join()}`);
    return this.survivors;
  }

  override setFrozen(services: readonly string[], frozen: boolean): void {
    this.#journal.push(`${frozen ? 'freeze' : 'thaw'} ${services.join()}`);
  }
}

const deafWire = {
  start: () => {},
  lives: () => NO_LIVES,
  recall: () => {},
  watchClosely: () => {},
  look: () => {},
  send: () => {},
  tend: async () => {},
  stop: async () => {},
} as unknown as Wire;

/** A watchdog of a pair that a living `sm` has handed these services over to. */
async function adopting(copy: Partial<Copy>, guard: Partial<GuardOptions> = {}, time = new FakeTime()) {
  const journal: string[] = [];
  const killList = new JournalOfKills(journal);
  const adopted = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const parts = {
    adopted,
    killList,
    wire: () => deafWire,
    selfFence: () => ({
      fire: (reason: string) => void journal.push(`fire: ${reason}`),
      alive: () => {},
      close: () => {},
    }),
    startSm: () => {
      journal.push('start sm');
      return { stream: new PassThrough(), end: () => {}, alive: () => true, pid: 2 };
    },
    exit: (code: number) => void journal.push(`exit ${code}`),
    guard: { peer: 'controller-1', regime: 'stay', ...guard } as const,
  };
  const watchdog = makeWatchdog(parts, time);
  watchdog.start();
  const say = async (message: object): Promise<void> => {
    adopted.push(`${toJson(message)}\n`);
    await settled();
  };
  const whole: Copy = {
    deadline: Number.POSITIVE_INFINITY,
    lost: false,
    holding: true,
    entries: [entry('web'), entry('disk', true)],
    lives: NO_LIVES,
    proof: NO_PROOF,
    ...copy,
  };
  await say({ type: 'life', process: { pid: 5_000_000, startTime: '1' }, copy: whole });
  /** `sm` lives meanwhile. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 200) {
      time.advance(200);
      await say({ type: 'event', event: { type: 'sm.pulse' } });
    }
  };
  return { watchdog, adopted, killList, journal, say, pass };
}

test('a stop that is not in order in time ends the machine where the kernel may hold something yet, or a kill did not work', async () => {
  const reason = `not verified as stopped within ${STOP_LIMIT_MS} ms`;
  const cases = [
    { entries: [entry('web'), entry('disk', true)], survivors: [], ends: `fire: ${reason}: disk` },
    { entries: [entry('web')], survivors: ['web'], ends: `fire: ${reason}: web` },
    { entries: [entry('web')], survivors: [], ends: 'exit 1' },
    // Nobody could act beside it.
    { entries: [entry('disk', true)], survivors: [], guard: { peer: null }, ends: 'exit 1' },
  ];
  for (const { entries, survivors, guard, ends } of cases) {
    const node = await adopting({ entries }, guard);
    node.journal.length = 0;
    node.killList.survivors = survivors;
    node.watchdog.stop('SIGTERM');
    await node.pass(STOP_LIMIT_MS + 200);
    expect(node.journal).toEqual([`kill ${entries.map(({ service }) => service).join()}`, ends]);
  }
});

test('what an earlier watchdog may have left frozen is thawed, unless it is killed', async () => {
  expect((await adopting({})).journal).toEqual(['thaw web,disk']);
  expect((await adopting({ lost: true })).journal).toEqual(['kill web,disk']);
});

test('after the last word of sm no other one is started, with hellos that are rare too', async () => {
  const slow = { ...DOMAIN, helloIntervalMs: 1000, deadIntervalMs: 4000 };
  for (const isClosed of [true, false]) {
    const time = new FakeTime();
    const node = await adopting({ holding: false, entries: [] }, { domain: slow }, time);
    await node.pass(4800);
    await node.say({ type: 'bye' });
    if (isClosed) node.adopted.push(null);
    for (let passed = 0; passed < 20_000; passed += 200) {
      await settled();
      time.advance(200);
    }
    expect(node.journal).toEqual(['exit 0']);
  }
});

test('what remained of an earlier life is told to an sm that had no copy, before it is greeted', async () => {
  const said: string[] = [];
  const adopted = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      for (const line of chunk.toString().split('\n')) if (line !== '') said.push(line);
      done();
    },
  });
  const found = { deadline: 2000, proof: NO_PROOF, lost: false, entries: [entry('web')], lives: NO_LIVES };
  const guard = { peer: 'controller-1', regime: 'record' } as const;
  makeWatchdog({ adopted, guard, inherited: () => found }).start();
  adopted.push(`${toJson({ type: 'life', process: { pid: 5_000_000, startTime: '1' }, copy: null })}\n`);
  await settled();
  const words = said.map((line) => JSON.parse(line));
  const [, copy, hello] = words;
  expect(copy).toMatchObject({
    type: 'copy',
    copy: { deadline: 2000, holding: true, entries: [{ service: 'web' }] },
  });
  expect(hello).toMatchObject({ type: 'fact', fact: { type: 'guard.hello', deadline: 2000, holding: true } });
});
