import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { GuardFact } from '../../../src/core/engine-interface.ts';
import { NO_PROOF } from '../../../src/core/guard/interface.ts';
import { permissionAfterSendMs } from '../../../src/core/guard/permission-time.ts';
import { KillList } from '../../../src/shell/exec/kill-list.ts';
import { GuardClient, type GuardClientOptions } from '../../../src/shell/guard-client.ts';
import { toJson } from '../../../src/shell/json.ts';
import {
  type FromSm,
  type FromWatchdog,
  NO_LIVES,
  RENEWAL_NUMBERS,
} from '../../../src/shell/pair/messages.ts';
import { makePage, type PageOut } from '../../../src/shell/pair/page.ts';
import { FakeTime, silentLog } from './fakes.ts';

const P = 800;
const entry = {
  service: 's',
  cgroup: null,
  pidFile: '',
  marker: 'SM_SERVICE=s',
  kernelState: false,
  enabledAt: null,
};
/** No process has this number: pids end at 2^22. */
const nobody = { pid: 5_000_000, startTime: '1' };

/** The watchdog's end of a pipe: what `sm` said, and a way to answer. */
class Pipe {
  readonly heard: FromSm[] = [];
  ended = false;
  readonly stream: Duplex;

  constructor() {
    this.stream = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of chunk.toString().split('\n')) if (line !== '') this.heard.push(JSON.parse(line));
        done();
      },
    });
  }

  async say(...messages: FromWatchdog[]): Promise<void> {
    for (const message of messages) this.stream.push(`${toJson(message)}\n`);
    await settled();
  }

  of<T extends FromSm['type']>(type: T): Extract<FromSm, { type: T }>[] {
    return this.heard.filter((message) => message.type === type) as Extract<FromSm, { type: T }>[];
  }
}

/** Streams deliver after the present turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

let time: FakeTime;
let pipe: Pipe;
let later: Pipe[];
let facts: GuardFact[];
let listed: number[];
let killed: string[][];
let successors: number[];
let kills: object[];
let client: GuardClient;

/** Kills nothing. */
class KillJournal extends KillList {
  override kill(services: readonly string[], boundMs: number): string[] {
    killed.push([...services]);
    kills.push({ services, boundMs, told: facts.at(-1)?.type });
    return [];
  }
}

async function greet(on: Pipe, deadline = Number.POSITIVE_INFINITY, basis = 'now'): Promise<void> {
  const copy = { deadline, lost: false, holding: false, entries: [], lives: NO_LIVES, proof: NO_PROOF };
  await on.say({ type: 'life', process: nobody, basis, copy });
}

function newest(): Pipe {
  return later.at(-1) as Pipe;
}

beforeEach(async () => {
  time = new FakeTime();
  pipe = new Pipe();
  later = [];
  facts = [];
  listed = [];
  killed = [];
  kills = [];
  successors = [];
  client = make(pipe);
  client.start();
  await greet(pipe);
});

function make({ stream }: Pipe, parts: Partial<GuardClientOptions> = {}): GuardClient {
  return new GuardClient({
    stream,
    permissionMs: P,
    startWatchdog: () => {
      const started = new Pipe();
      later.push(started);
      return {
        pid: 1,
        stream: started.stream,
        alive: () => !started.ended,
        end: () => {
          started.ended = true;
        },
      };
    },
    page: null,
    looked: () => {},
    basis: 'now',
    takesOver: async (pid) => void successors.push(pid),
    post: (fact) => facts.push(fact),
    listed: (run) => listed.push(run),
    stop: () => {},
    killList: new KillJournal(),
    killVerifyMs: 100,
    time,
    log: silentLog,
    ...parts,
  });
}

/** Time passes while the watchdog answers every ping. */
async function live(on: Pipe, durationMs: number): Promise<void> {
  for (let passed = 0; passed < durationMs; passed += 50) {
    time.advance(50);
    await on.say({ type: 'pong', number: 0 });
  }
}

describe('a watchdog of another installation or plan', () => {
  /** Greets again, as a watchdog that started this `sm`, but from other files. */
  async function old(): Promise<void> {
    client.hold(true);
    client.list(7, entry, true);
    await greet(pipe, 9000, 'before');
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: 9500 } });
  }

  it('goes on until another one is ready, which gets the copy', async () => {
    await old();
    expect(later).toHaveLength(1);
    expect(newest().heard).toEqual([]);
    expect(pipe.stream.destroyed).toBe(false);
    await newest().say({ type: 'ready' });
    await settled();
    time.advance(0);
    expect(successors).toEqual([1]);
    expect(pipe.stream.destroyed).toBe(true);
    expect(later).toHaveLength(1);
    expect(newest().heard[0]).toMatchObject({
      type: 'life',
      copy: { deadline: 9500, lost: false, holding: false, entries: [entry] },
    });
    // Its own basis is not asked for: it was started by this sm.
    await greet(newest(), 9500, 'later');
    expect(later).toHaveLength(1);
    await newest().say({ type: 'fact', fact: { type: 'guard.permission', deadline: 9700 } });
    // What the one before said was of another pair perhaps.
    expect(facts).toEqual([{ type: 'guard.permission', deadline: 9700 }]);
    expect(client.verdict()).toEqual({ deadline: 9700, lost: false });
  });

  it('stays where the other one does not get ready', async () => {
    await old();
    newest().stream.destroy();
    newest().ended = true;
    await settled();
    expect(pipe.stream.destroyed).toBe(false);
    expect(successors).toEqual([]);
    await live(pipe, 5000);
    await newest().say({ type: 'ready' });
    await settled();
    expect(successors).toEqual([1]);
  });

  it('is replaced by the other one, too, if it dies first', async () => {
    await old();
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    expect(newest().of('life')).toHaveLength(1);
    await newest().say({ type: 'ready' });
    await settled();
    expect(newest().stream.destroyed).toBe(false);
    expect(later).toHaveLength(1);
  });
});

/** Time passes while the watchdog says nothing but what it is asked for. */
async function answering(on: Pipe, durationMs: number): Promise<void> {
  let asked = on.of('ping').length;
  for (let passed = 0; passed < durationMs; passed++) {
    time.advance(1);
    for (; asked < on.of('ping').length; asked++) await on.say({ type: 'pong', number: asked });
  }
}

describe('a watchdog that ends', () => {
  it('is replaced by one that gets the copy and all that is unanswered', async () => {
    client.hold(true);
    client.list(7, entry, true);
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: 9000 } });
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    expect(later).toHaveLength(1);
    expect(newest().heard[0]).toMatchObject({
      type: 'life',
      copy: { deadline: 9000, lost: false, holding: true, entries: [entry] },
    });
    expect(newest().of('event')).toContainEqual({
      type: 'event',
      event: { type: 'sm.list', run: 7, entry, activating: true },
    });
    await newest().say({ type: 'listed', run: 7, ok: true, reason: '' });
    expect(listed).toEqual([7]);
    expect(killed).toEqual([]);
  });

  it('is replaced by one that knows the lives of which frames are old', async () => {
    const lives = { own: ['a'], peer: { ended: ['b'], current: { life: 'c', sequence: 7 } } };
    await pipe.say({ type: 'lives', lives });
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    expect(newest().of('life')[0]?.copy?.lives).toEqual(lives);
  });

  it('is replaced at once by the spare', async () => {
    await live(pipe, 2000);
    expect(later).toHaveLength(1);
    expect(newest().heard).toEqual([]);
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    expect(later).toHaveLength(1);
    expect(newest().of('life')).toHaveLength(1);
  });

  it('stays away after the orderly end', async () => {
    await client.bye();
    pipe.stream.destroy();
    await settled();
    time.advance(60_000);
    expect(pipe.of('bye')).toHaveLength(1);
    expect(later).toEqual([]);
  });
});

describe('a watchdog that hangs', () => {
  it('is replaced when it was silent for P/2', async () => {
    await live(pipe, 500);
    time.advance(P / 2 - 1);
    expect(later).toEqual([]);
    time.advance(1);
    expect(later).toHaveLength(1);
  });

  it('is asked before, once, and not while it speaks by itself', async () => {
    await live(pipe, 2000);
    expect(pipe.of('ping')).toEqual([]);
    time.advance(0.3 * P);
    expect(pipe.of('ping')).toHaveLength(1);
    await pipe.say({ type: 'pong', number: 1 });
    time.advance(P / 2 - 1);
    expect(pipe.of('ping')).toHaveLength(2);
    expect(pipe.stream.destroyed).toBe(false);
  });

  it('is heard before it is judged, if it spoke while we were busy', async () => {
    await live(pipe, 500);
    time.advance(0.3 * P);
    time.stall(0.2 * P + 50);
    // As the event loop has it: timers that are due, then the pipe, then what was put off.
    pipe.stream.push(`${toJson({ type: 'pong', number: 1 })}\n`);
    await settled();
    time.advance(0);
    expect(pipe.stream.destroyed).toBe(false);
    expect(later).toEqual([]);
  });

  describe('while its heartbeats keep a permission alive, d = 800, S = 300', () => {
    const domain = { deadIntervalMs: P, stopBoundMs: 300, linkDownDetectMs: 100 };
    const afterSendMs = permissionAfterSendMs(domain);
    /** Of a start-up that is over: reading the copy, sockets, the first look at the links. Measured: 30 to 130 ms. */
    const SUCCESSOR_MS = 200;
    const heartbeat = () =>
      pipe.say({
        type: 'fact',
        fact: { type: 'guard.permission', deadline: time.now() + afterSendMs },
      });
    beforeEach(async () => {
      client.hold(true);
      client.list(7, entry, true);
    });

    it.each([
      { sinceMs: 0, what: 'right after a heartbeat' },
      { sinceMs: 199, what: 'right before the next, after another word' },
    ])('hangs $what: a successor has the time that it needs', async ({ sinceMs }) => {
      expect(afterSendMs).toBe(570);
      await heartbeat();
      time.advance(sinceMs);
      if (sinceMs > 0) await pipe.say({ type: 'pong', number: 0 });
      const left = afterSendMs - sinceMs;
      time.advance(left - SUCCESSOR_MS);
      expect(pipe.of('ping').length).toBeGreaterThan(0);
      expect(newest().of('life')[0]?.copy).toMatchObject({ holding: true });
      expect(killed).toEqual([]);
      time.advance(SUCCESSOR_MS);
      expect(killed).toEqual([['s']]);
    });

    it('is not disturbed in its rhythm of 200 ms', async () => {
      for (let i = 0; i < 20; i++) {
        await heartbeat();
        time.advance(200);
      }
      expect(pipe.of('ping')).toEqual([]);
      expect(pipe.stream.destroyed).toBe(false);
    });

    it('lives, and has no link to renew by: it is asked, and left to act at the deadline', async () => {
      await heartbeat();
      await answering(pipe, afterSendMs + 10);
      expect(pipe.stream.destroyed).toBe(false);
      expect(killed).toEqual([]);
    });
  });

  it('is not blamed for our own absence', async () => {
    await live(pipe, 500);
    time.stall(5000);
    time.advance(100);
    expect(pipe.stream.destroyed).toBe(false);
  });
});

describe('the copy of the deadline', () => {
  beforeEach(async () => {
    client.hold(true);
    client.list(7, entry, true);
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: time.now() + 300 } });
  });

  it('is acted upon when the watchdog is not there', async () => {
    pipe.stream.destroy();
    await settled();
    time.advance(299);
    expect(killed).toEqual([]);
    time.advance(1);
    expect(killed).toEqual([['s']]);
    expect(facts.at(-1)).toMatchObject({ type: 'guard.lost' });
    expect(client.verdict()).toMatchObject({ lost: true });
  });

  it('is acted upon in one kill, within its part of S, and the stop scripts are next', async () => {
    client.list(8, { ...entry, service: 't' }, true);
    pipe.stream.destroy();
    await settled();
    time.advance(300);
    expect(kills).toEqual([{ services: ['s', 't'], boundMs: 100, told: 'guard.lost' }]);
  });

  it('is left to a watchdog that lives', async () => {
    await live(pipe, 500);
    expect(killed).toEqual([]);
  });

  it('is left to one that was quiet, and answers when it is asked shortly before', async () => {
    await answering(pipe, 310);
    expect(killed).toEqual([]);
    expect(pipe.stream.destroyed).toBe(false);
  });

  it('is acted upon when the watchdog hangs and does not answer', async () => {
    time.advance(299);
    expect(killed).toEqual([]);
    time.advance(1);
    expect(killed).toEqual([['s']]);
  });

  it('is acted upon in time where the watchdog began to hang shortly before it', async () => {
    await live(pipe, 200);
    time.advance(40);
    await pipe.say({ type: 'pong', number: 1 });
    time.advance(59);
    expect(killed).toEqual([]);
    time.advance(1);
    expect(killed).toEqual([['s']]);
  });

  it('is handed on with what it rests on', async () => {
    const proof = { deadline: time.now() + 100, links: ['oam-interface' as const] };
    const fact = { type: 'guard.permission' as const, deadline: time.now() + 400 };
    await pipe.say({ type: 'fact', fact, proof });
    await pipe.say({ type: 'fact', fact: { type: 'guard.announcement', number: 0 } });
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    expect(newest().of('life')[0]?.copy).toMatchObject({ deadline: fact.deadline, proof });
  });

  describe('behind a peer that does not hear this node', () => {
    const word = (isDeaf: boolean) => {
      const proof = { deadline: time.now() + 100, links: [], ...(isDeaf ? { isDeaf } : {}) };
      const fact = { type: 'guard.permission' as const, deadline: time.now() + 400 };
      return pipe.say({ type: 'fact', fact, proof });
    };

    it('counts only what the peer has echoed, once the watchdog does not answer', async () => {
      await word(true);
      time.advance(99);
      expect(killed).toEqual([]);
      time.advance(1);
      expect(killed).toEqual([['s']]);
      expect(facts.at(-1)).toMatchObject({ reason: expect.stringContaining('does not hear this node') });
    });

    it('is left to a watchdog that answers, for as long as it does', async () => {
      await word(true);
      await answering(pipe, 300);
      expect(killed).toEqual([]);
      time.advance(100);
      expect(killed).toEqual([['s']]);
    });

    it('stands where the peer does hear it', async () => {
      await word(false);
      time.advance(299);
      expect(killed).toEqual([]);
    });
  });

  it('moves with the permission', async () => {
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: time.now() + 1000 } });
    pipe.stream.destroy();
    await settled();
    time.advance(999);
    expect(killed).toEqual([]);
    time.advance(1);
    expect(killed).toEqual([['s']]);
  });
});

it('a watchdog that died before anybody listened to it is noticed at once, and the next one is given no copy', async () => {
  const dead = new Pipe();
  // As a socket does that finds the end of the stream when it is made.
  dead.stream.resume();
  dead.stream.push(null);
  dead.stream.end();
  await settled();
  expect(dead.stream.readableEnded).toBe(true);
  client = make(dead);
  client.start();
  await settled();
  time.advance(0);
  expect(later).toHaveLength(1);
  expect(newest().of('life')).toMatchObject([{ copy: null }]);
});

describe('a watchdog that was given no copy', () => {
  const hello: FromWatchdog = {
    type: 'fact',
    fact: {
      type: 'guard.hello',
      fresh: false,
      holding: true,
      processLife: 'life',
      kernelLife: 'kernel',
      deadline: 9000,
      lost: false,
    },
  };
  /** What the one after it is given. */
  async function handedOn(...said: FromWatchdog[]) {
    const replace = async (on: Pipe) => {
      on.stream.destroy();
      await settled();
      time.advance(100);
      return newest();
    };
    const first = new Pipe();
    client = make(first);
    client.start();
    const second = await replace(first);
    await greet(second);
    await second.say(...said);
    client.list(1, entry, true);
    const third = await replace(second);
    expect(third).not.toBe(second);
    return third.of('life').map(({ copy }) => copy);
  }

  it('has one to be handed on as soon as it has greeted: what runs since is on it', async () => {
    expect(await handedOn(hello)).toMatchObject([{ deadline: 9000, entries: [{ service: 's' }] }]);
  });

  it('has told before what it took up of what remained', async () => {
    const proof = { deadline: 8000, links: [] };
    const entries = [{ ...entry, service: 'old' }];
    const copy = { deadline: 9000, lost: false, holding: true, entries, lives: NO_LIVES, proof };
    const services = [{ service: 'old' }, { service: 's' }];
    expect(await handedOn({ type: 'copy', copy }, hello)).toMatchObject([{ ...copy, entries: services }]);
  });

  it('may have taken nothing up yet before it greets: the next one looks for what remains as well', async () => {
    expect(await handedOn()).toEqual([null]);
  });
});

describe('a watchdog whose renewals are read', () => {
  let page: PageOut;
  let pulses: number[];
  let looked: number;
  const afterSendMs = 570;
  const renew = (on = page) => on.write(time.now() + afterSendMs, time.now() + 400, time.now());

  beforeEach(async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'sm-guard-')), 'page');
    onTestFinished(() => rmSync(dirname(path), { recursive: true, force: true }));
    page = makePage(path, RENEWAL_NUMBERS) as PageOut;
    pulses = [];
    looked = 0;
    await client.bye();
    pipe = new Pipe();
    const own: PageOut = { path: '/pulse', write: (at = 0) => pulses.push(at) > 0 };
    client = make(pipe, { page: own, looked: () => void looked++ });
    client.start();
    const copy = { deadline: 0, lost: false, holding: false, entries: [], lives: NO_LIVES, proof: NO_PROOF };
    await pipe.say({ type: 'life', process: nobody, basis: 'now', copy, page: path });
    client.hold(true);
    client.list(7, entry, true);
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: time.now() + afterSendMs } });
    facts.length = 0;
  });

  it('is told that they are, and has not to say anything for the permission to go on', async () => {
    expect(pipe.of('page')).toHaveLength(1);
    expect(client.looksBySelf).toBe(true);
    for (let i = 0; i < 20; i++) {
      renew();
      expect(client.verdict().deadline).toBe(time.now() + afterSendMs);
      time.advance(200);
    }
    expect(pipe.of('ping')).toEqual([]);
    expect(killed).toEqual([]);
    expect(later.filter(({ heard }) => heard.length > 0)).toEqual([]);
    expect(facts.every(({ type }) => type === 'guard.permission')).toBe(true);
    expect(looked).toBeGreaterThan(10);
  });

  it('wakes us up for nothing but to be looked at, while permission runs on', async () => {
    time.expired = 0;
    looked = 0;
    for (let i = 0; i < 20; i++) {
      renew();
      time.advance(200);
    }
    expect(looked).toBeGreaterThanOrEqual(18);
    // The deadline of before, and every two seconds it is seen to it that there is a spare.
    expect(time.expired - looked).toBeLessThanOrEqual(1 + 2);
  });

  it('is replaced when it renews no more, by one that gets what it renewed last', async () => {
    renew();
    time.advance(150);
    renew();
    const deadline = time.now() + afterSendMs;
    time.advance(P / 2 - 30 - 1);
    expect(newest()?.heard ?? []).toEqual([]);
    time.advance(1);
    expect(newest().of('life')[0]?.copy).toMatchObject({ deadline, proof: { deadline: deadline - 170 } });
    expect(killed).toEqual([]);
    expect(client.looksBySelf).toBe(false);
    time.advance(deadline - time.now());
    expect(killed).toEqual([['s']]);
  });

  it('is looked at early where we are awake shortly before, and once', async () => {
    renew();
    client.look();
    looked = 0;
    time.advance(150);
    renew();
    // 0.3 P after its last word: not yet.
    client.glance(80);
    expect(looked).toBe(0);
    time.advance(20);
    client.glance(80);
    client.glance(80);
    expect(looked).toBe(1);
    expect(facts.at(-1)).toMatchObject({ deadline: time.now() - 20 + afterSendMs });
    time.advance(0.3 * P - 20 - 1);
    expect([looked, pipe.of('ping').length]).toEqual([1, 0]);
  });

  it('is not taken to be well by a look before its time that finds nothing', async () => {
    renew();
    time.advance(200);
    client.glance(80);
    client.glance(80);
    time.advance(0.3 * P);
    expect(pipe.of('ping')).toHaveLength(1);
  });

  it('is believed when it says that permission is shorter, or lost', async () => {
    renew();
    client.look();
    const shorter = time.now() + 100;
    await pipe.say({ type: 'fact', fact: { type: 'guard.permission', deadline: shorter } });
    expect(client.verdict()).toEqual({ deadline: shorter, lost: false });
    await pipe.say({ type: 'fact', fact: { type: 'guard.lost', reason: 'x' } });
    renew();
    expect(client.verdict()).toEqual({ deadline: shorter, lost: true });
  });

  it('is read also where a word came after what it has written', async () => {
    renew();
    const deadline = time.now() + afterSendMs;
    time.advance(1);
    await pipe.say({ type: 'pong', number: 0 });
    expect(client.verdict().deadline).toBe(deadline);
  });

  it('puts no pulse of ours off with its words', async () => {
    looked = 0;
    for (let i = 0; i < 10; i++) {
      time.advance(100);
      await pipe.say({ type: 'pong', number: 0 });
    }
    expect(looked).toBeGreaterThanOrEqual(10);
  });

  it('is no clock for our pulse where it may be quiet for longer than we', async () => {
    await client.bye();
    client = make(pipe, { permissionMs: 3000 });
    client.start();
    const copy = { deadline: 0, lost: false, holding: false, entries: [], lives: NO_LIVES, proof: NO_PROOF };
    await pipe.say({ type: 'life', process: nobody, basis: 'now', copy, page: page.path });
    expect(client.looksBySelf).toBe(false);
  });

  it('reads our pulse from when it says so, but for the first after it was away', async () => {
    const said = () => pipe.of('event').filter(({ event }) => event.type === 'sm.pulse').length;
    client.pulse();
    await settled();
    expect([said(), pulses]).toEqual([1, []]);
    await pipe.say({ type: 'page' });
    time.advance(5);
    client.pulse();
    await settled();
    expect([said(), pulses]).toEqual([1, [time.now()]]);
    pipe.stream.destroy();
    await settled();
    time.advance(0);
    pipe = newest();
    client.pulse();
    await settled();
    expect([said(), pulses.length]).toEqual([1, 1]);
  });
});
