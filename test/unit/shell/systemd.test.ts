import { expect, test } from 'vitest';
import { identify, type ProcessIdentity } from '../../../src/shell/process-identity.ts';
import { StandIn } from '../../../src/shell/stand-in.ts';
import { type ServiceManager, serviceManager } from '../../../src/shell/systemd.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

function make(environment: Record<string, string>) {
  const said: string[] = [];
  const waiting: ((error: Error | null) => void)[] = [];
  const warnings: string[] = [];
  const clock = { ms: 0 };
  const manager = serviceManager({
    environment,
    pid: 77,
    time: { now: () => clock.ms },
    log: { ...quiet, warn: (_fields, message) => void warnings.push(message) },
    say: (assignments, done) => {
      said.push(assignments.join(' '));
      waiting.push(done);
    },
  });
  const answer = (error: Error | null = null) => {
    for (const done of waiting.splice(0)) done(error);
  };
  return { manager, said, answer, clock, warnings };
}

test('without NOTIFY_SOCKET nothing is said', () => {
  const { manager, said } = make({ WATCHDOG_USEC: '10000000' });
  manager.ready();
  manager.alive();
  manager.stopping('SIGTERM');
  expect(said).toEqual([]);
});

test('readiness with the main process is said once, the stop with its reason on one line', () => {
  const { manager, said } = make({ NOTIFY_SOCKET: '/run/x' });
  manager.ready();
  manager.ready();
  manager.stopping('SIGTERM\nREADY=1');
  expect(said).toEqual([
    'MAINPID=77 READY=1 STATUS=running',
    'STOPPING=1 STATUS=stopping in order: SIGTERM READY=1',
  ]);
});

test('three pings fit into one WatchdogSec, one at a time', () => {
  const { manager, said, answer, clock } = make({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '9000000' });
  manager.alive();
  for (clock.ms = 1000; clock.ms <= 6000; clock.ms += 1000) manager.alive();
  expect(said).toEqual(['WATCHDOG=1']);
  answer();
  manager.alive();
  clock.ms += 2999;
  answer();
  manager.alive();
  clock.ms += 1;
  manager.alive();
  expect(said).toEqual(['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
});

test('without WatchdogSec nothing is pinged; a failure is told once', () => {
  const { manager, said, answer, warnings } = make({ NOTIFY_SOCKET: '/run/x' });
  manager.alive();
  expect(said).toEqual([]);
  manager.ready();
  manager.stopping('a');
  answer(new Error('no such program'));
  expect(warnings).toEqual(['systemd can not be told how the node is']);
});

function standIn() {
  const self = identify(process.pid)!;
  const state = {
    holder: self as ProcessIdentity | null,
    now: 0,
    exits: [] as number[],
    signals: [] as number[],
    killed: [] as number[],
    hangs: false,
  };
  let waits = 0;
  const words: string[] = [];
  const timers: (() => void)[] = [];
  const manager: ServiceManager = {
    ready: () => void words.push('ready'),
    alive: () => void words.push('alive'),
    stopping: () => void words.push('stopping'),
  };
  const subject = new StandIn({
    holder: () => state.holder,
    waits: () => (state.hangs ? waits : ++waits),
    kill: ({ pid }) => void state.killed.push(pid),
    signal: (pid) => void state.signals.push(pid),
    exit: (code) => void state.exits.push(code),
    manager,
    time: {
      now: () => state.now,
      defer: (work) => work(),
      after: (_delayMs, work) => {
        timers.push(work);
        return () => {};
      },
    },
    log: quiet,
  });
  const pass = (ms: number) => {
    for (const end = state.now + ms; state.now < end; ) {
      state.now += 1000;
      for (const work of timers.splice(0)) work();
    }
  };
  return { subject, state, words, pass, self };
}

test('a stand-in pings while the watchdog lives, and ends when there is none any more', () => {
  const { subject, state, words, pass, self } = standIn();
  subject.start();
  pass(2000);
  expect(words).toEqual(['ready', 'alive', 'alive', 'alive']);
  state.holder = null;
  pass(15_000);
  // It may be being replaced.
  state.holder = self;
  pass(1000);
  expect(state.exits).toEqual([]);
  state.holder = { pid: process.pid, startTime: 'of another process' };
  pass(16_000);
  expect(state.exits).toEqual([1]);
});

test('a stand-in says nothing for a watchdog that hangs, and kills one that nobody replaces', () => {
  const { subject, state, words, pass } = standIn();
  subject.start();
  state.hangs = true;
  pass(5000);
  expect(words).toEqual(['ready', 'alive']);
  state.hangs = false;
  pass(1000);
  expect(words).toEqual(['ready', 'alive', 'alive']);
  state.hangs = true;
  pass(5000);
  expect(state.killed).toEqual([]);
  pass(1000);
  expect(state.killed).toEqual([process.pid]);
});

test('a stand-in hands the order to stop on, once, and ends after the node', () => {
  const { subject, state, pass } = standIn();
  subject.start();
  subject.stop('SIGTERM');
  subject.stop('SIGTERM');
  pass(3000);
  expect(state.signals).toEqual([process.pid]);
  expect(state.exits).toEqual([]);
  state.holder = null;
  pass(1000);
  expect(state.exits).toEqual([0]);
});
