import { Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import type { ArbiterPlan, FromArbiter } from '../../../src/shell/arbiter/messages.ts';
import { fromArbiter, toArbiter } from '../../../src/shell/watchdog/arbiter-clock.ts';
import { ArbiterLink } from '../../../src/shell/watchdog/arbiter-link.ts';
import { FakeTime, silentLog } from './fakes.ts';

const PLAN = { node: 'controller-0', knownRegister: 'r1' } as ArbiterPlan;

/** One `sm-arbiter` after the other, as the link sees them. */
class World {
  readonly time = new FakeTime();
  readonly journal: string[] = [];
  readonly processes: { readonly stream: Duplex; readonly said: string[]; isDead: boolean }[] = [];
  readonly link = new ArbiterLink({
    plan: PLAN,
    start: () => {
      const said: string[] = [];
      const stream = new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          said.push(...chunk.toString().trim().split('\n'));
          done();
        },
      });
      const made = { stream, said, isDead: false };
      this.processes.push(made);
      const end = () => {
        made.isDead = true;
      };
      return { pid: 7, stream, alive: () => !made.isDead, end };
    },
    connected: () => this.journal.push('connected'),
    told: (message) => this.journal.push(message.type),
    gone: (reason) => this.journal.push(reason),
    time: this.time,
    log: silentLog,
  });

  get last() {
    return this.processes.at(-1)!;
  }

  async say(...messages: object[]): Promise<void> {
    for (const message of messages) this.last.stream.push(`${JSON.stringify(message)}\n`);
    await this.settle();
  }

  async die(): Promise<void> {
    this.last.stream.destroy();
    await this.settle();
  }

  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  }
}

let world: World;
beforeEach(() => {
  world = new World();
  world.link.start();
});

const numbers = (register: string): FromArbiter => ({
  type: 'fact',
  fact: { type: 'arbiter.numbers', number: 1, leader: '', mode: 'leased', groups: [], register },
});

test('tells the plan first, and nothing more before the other one is ready', async () => {
  world.link.send({ type: 'retell' });
  expect(world.last.said.map((line) => JSON.parse(line).type)).toEqual(['plan']);
  await world.say({ type: 'ready' }, numbers('r1'));
  world.link.send({ type: 'retell' });
  expect(world.journal).toEqual(['connected', 'fact']);
  expect(world.last.said.map((line) => JSON.parse(line).type)).toEqual(['plan', 'retell']);
});

test('starts another one when it is gone, at once and then less and less often, with what is known of the register', async () => {
  await world.say({ type: 'ready' }, numbers('r2'), numbers(''));
  await world.die();
  expect(world.journal.at(-1)).toMatch(/^sm-arbiter is gone: /);
  expect(world.processes[0]?.isDead).toBe(true);
  world.time.advance(0);
  expect(world.processes).toHaveLength(2);
  expect(JSON.parse(world.last.said[0]!)).toMatchObject({
    plan: { node: 'controller-0', knownRegister: 'r2' },
  });
  const gone = world.journal.length;
  await world.die();
  expect(world.journal).toHaveLength(gone);
  world.time.advance(99);
  expect(world.processes).toHaveLength(2);
  world.time.advance(1);
  expect(world.processes).toHaveLength(3);
});

test('one that says nothing for long is ended and replaced; one that answers is not', async () => {
  await world.say({ type: 'ready' });
  for (let second = 0; second < 20; second += 1) {
    world.link.look();
    await world.say({ type: 'pong' });
  }
  expect(world.last.isDead).toBe(false);
  for (let second = 0; second < 5; second += 1) world.link.look();
  expect(world.processes[0]?.isDead).toBe(true);
  expect(world.journal.at(-1)).toBe('sm-arbiter is gone: no sign of life');
  world.time.advance(0);
  expect(world.processes).toHaveLength(2);
});

test('what an ended one said is not heard any more', async () => {
  await world.say({ type: 'ready' });
  const [first] = world.processes;
  for (let second = 0; second < 5; second += 1) world.link.look();
  world.time.advance(0);
  const told = world.journal.length;
  first?.stream.push(`${JSON.stringify(numbers('x'))}\n`);
  await world.settle();
  expect(world.journal).toHaveLength(told);
});

test('ends it with the node, for good', async () => {
  await world.say({ type: 'ready' });
  world.link.stop();
  await world.settle();
  world.time.advance(10_000);
  expect(world.last.isDead).toBe(true);
  expect(world.processes).toHaveLength(1);
});

test('times cross between the clock of the guard and that of everybody else', () => {
  const clock = { fromPast: (time: number) => time + 100, toSm: (time: number) => time - 100 };
  const cross = (message: FromArbiter) => JSON.stringify(fromArbiter(message, clock));
  expect(cross({ type: 'fact', fact: { type: 'arbiter.renewed', askedAt: 5 } })).toContain('"askedAt":105');
  const granted = { type: 'arbiter.granted', number: 3, ground: 'time', quietSince: 7 } as const;
  expect(cross({ type: 'fact', fact: granted })).toContain('"quietSince":107');
  const result = {
    outcome: 'fenced',
    cause: null,
    reason: '',
    attempts: [],
    tookMs: 1,
    provenAt: 1,
  } as const;
  expect(cross({ type: 'fenced', result, proof: { kernelLife: 'k', by: 'b', at: 9 } })).toContain('"at":109');
  expect(cross(numbers('r'))).toBe(JSON.stringify(numbers('r')));
  const word = { heard: false, exchanged: false, leaving: false, permissionMs: 1, stopBoundMs: 1 };
  expect(
    toArbiter({ type: 'peer', word: { ...word, lastReceiptAt: 200 }, productUuid: '' }, clock),
  ).toMatchObject({
    word: { lastReceiptAt: 100 },
  });
  expect(toArbiter({ type: 'proof', proof: { kernelLife: 'k', by: 'b', at: 200 } }, clock)).toMatchObject({
    proof: { at: 100 },
  });
});
