import { beforeEach, describe, expect, it } from 'vitest';
import type { Token } from '../../../src/core/cluster/token.ts';
import type { EngineEffect, EngineEvent } from '../../../src/core/engine-interface.ts';
import { AssertionError } from '../../../src/core/kernel/assert.ts';
import type { HistoryEffect, RunEffect } from '../../../src/core/service/interface.ts';
import type { EngineView } from '../../../src/core/view.ts';
import { COMMIT_RETRY_MS_MAX, IDLE_TURN_MS, Loop, STORE_PATIENCE_MS } from '../../../src/shell/loop.ts';
import type { CommitResult, SavedEffect } from '../../../src/shell/ports.ts';
import { FakeTime, silentLog } from './fakes.ts';

const token = { group: 'g', activation: 3, deadline: 9000 } as unknown as Token;

function run(fields: Partial<RunEffect> = {}): RunEffect {
  return {
    type: 'run',
    run: 1,
    service: 's',
    action: 'enable',
    pluginType: 'ocf-script',
    pluginClass: 'ocf',
    pluginName: 'sm',
    command: 'start',
    environment: {},
    timeoutMs: 1000,
    token: null,
    exclusive: false,
    pidFile: '',
    kernelState: false,
    ...fields,
  };
}

const persistService: EngineEffect = {
  type: 'persist.service',
  service: 's',
  desired: 'enabled-active',
  state: 'enabling',
  status: '',
  condition: '',
};
const history: HistoryEffect = {
  type: 'history',
  entity: 'service',
  name: 's',
  from: 'disabled',
  to: 'enabling',
  cause: 'enable',
  actor: 'engine',
  reason: 'wanted active',
};
const report = { definitionDigest: 'd' } as unknown as Extract<
  EngineEffect,
  { type: 'guard.send' }
>['report'];
const send = (version: number, leaving = false): EngineEffect => ({
  type: 'guard.send',
  report,
  version,
  announceNumber: 0,
  leaving,
  grant: 0,
});
const poke: EngineEvent = { type: 'node.ready', ready: true, reason: '' };

class World {
  readonly time = new FakeTime();
  readonly journal: string[] = [];
  readonly events: EngineEvent[] = [];
  /** What the engine emits for the next events, one list per event. */
  /** Whether another event of the turn was said to follow each. */
  readonly mores: boolean[] = [];
  readonly script: (readonly EngineEffect[])[] = [];
  renewalsAreMere = true;
  pulses = 0;
  stored: CommitResult = { ok: true };
  keepsWord = true;
  readonly commits: (readonly SavedEffect[])[] = [];
  fatal: unknown;
  readonly loop: Loop;

  constructor() {
    const note = (line: string) => this.journal.push(line);
    this.loop = new Loop({
      engine: (emit) => ({
        start: () => {},
        step: (event, _now, more) => {
          this.events.push(event);
          this.mores.push(more);
          for (const effect of this.script.shift() ?? []) emit(effect);
        },
        isMereRenewal: () => this.renewalsAreMere,
        view: () => {
          note('view');
          return {} as EngineView;
        },
      }),
      store: {
        commit: (effects) => {
          note(`commit ${effects.length}${this.stored.ok ? '' : ' failed'}`);
          this.commits.push(effects);
          return this.stored;
        },
      },
      performer: {
        run: (effect) => note(`run ${effect.run}`),
        refuse: (effect, reason) => note(`refuse ${effect.run}: ${reason}`),
        kill: (id) => note(`kill ${id}`),
        killService: (service) => note(`kill.service ${service}`),
        watch: (service) => note(`watch ${service}`),
        heartbeat: (service, on) => note(`heartbeat ${service} ${on}`),
      },
      guard: {
        send: (effect) => note(`send ${effect.version}`),
        hold: (holding) => note(`hold ${holding}`),
        verified: (service) => note(`verified ${service}`),
        fence: (reason) => note(`fence ${reason}`),
        wish: () => {},
        fencePeer: (window) => note(`fence-peer ${window?.from}`),
        confirmDead: (by) => note(`confirm-dead ${by}`),
        pulse: () => {
          this.pulses += 1;
        },
        look: () => {},
        looksBySelf: false,
        flush: () => note('flush'),
      },
      word: {
        keep: () => {
          note(`keep the word${this.keepsWord ? '' : ' failed'}`);
          return this.keepsWord;
        },
      },
      time: this.time,
      log: silentLog,
      reply: (reply) => note(`reply ${reply.request} ${reply.ok ? 'ok' : reply.code}`),
      published: (entry) => note(`published ${entry.name}`),
      exit: (reason) => note(`exit ${reason}`),
      restart: (reason) => note(`restart ${reason}`),
      fatal: (error) => {
        this.fatal = error;
      },
    });
    this.loop.start();
  }

  emit(...effects: EngineEffect[]): void {
    this.script.push(effects);
    this.loop.post(poke);
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

const RENEWAL_INTERVAL_MS = 200;

function renewal(deadline: number): Extract<EngineEvent, { type: 'guard.permission' }> {
  return { type: 'guard.permission', deadline };
}

/** Permission is renewed every 200 ms, each time for 560, and nothing else happens. Returns the last deadline. */
function idle(rounds: number): number {
  let deadline = 0;
  for (let round = 0; round < rounds; round += 1) {
    deadline = world.time.now() + 560;
    world.loop.post(renewal(deadline));
    world.time.advance(RENEWAL_INTERVAL_MS);
  }
  return deadline;
}

describe('a renewal of permission', () => {
  it('that changes nothing costs no turn, and is answered by a pulse', () => {
    world.time.advance(IDLE_TURN_MS + 100);
    const { turns } = world.loop.statistics();
    world.pulses = 0;
    idle(20);
    expect(world.events).toEqual([]);
    expect(world.loop.statistics().turns).toBe(turns);
    expect(world.pulses).toBe(20);
  });

  it('is told right before the next event, the newest of them alone', () => {
    const deadline = idle(20);
    world.loop.post(poke);
    world.time.settle();
    expect(world.events).toEqual([{ ...renewal(deadline), unbroken: true }, poke]);
    world.loop.post(poke);
    world.time.settle();
    expect(world.events.slice(2)).toEqual([poke]);
  });

  it('is told before a timer that is due', () => {
    world.emit({ type: 'timer', key: 'a', generation: 1, at: world.time.now() + 700 });
    world.time.settle();
    const deadline = idle(5);
    const due = { type: 'timer', key: 'a', generation: 1 };
    expect(world.events).toEqual([poke, { ...renewal(deadline - 200), unbroken: true }, due]);
  });

  it('is told before the engine is looked at', () => {
    const deadline = idle(3);
    world.loop.view();
    expect(world.events).toEqual([{ ...renewal(deadline), unbroken: true }]);
    expect(world.journal).toEqual(['view']);
  });

  it('that comes too late for the one before is told at once, behind it', () => {
    world.loop.post(renewal(1500));
    world.time.stall(600);
    world.loop.post(renewal(2200));
    world.time.settle();
    expect(world.events).toEqual([{ ...renewal(1500), unbroken: true }, renewal(2200)]);
  });

  it('is told at once where the engine waits for it, and where more is said with it', () => {
    world.renewalsAreMere = false;
    world.loop.post(renewal(1500));
    world.time.settle();
    expect(world.events).toEqual([renewal(1500)]);
    world.renewalsAreMere = true;
    world.loop.post(renewal(1600));
    world.loop.post({ ...renewal(1700), recorded: 1800 });
    world.time.settle();
    expect(world.events.slice(1)).toEqual([
      { ...renewal(1600), unbroken: true },
      { ...renewal(1700), recorded: 1800 },
    ]);
  });

  it('keeps its place among what waits for its turn', () => {
    world.loop.post({ type: 'guard.lost', reason: 'test' });
    world.loop.post(renewal(1500));
    world.time.settle();
    expect(world.events.map(({ type }) => type)).toEqual(['guard.lost', 'guard.permission']);
  });

  it('that stays away does not keep the loop from telling that it lives', () => {
    idle(3);
    world.pulses = 0;
    world.time.advance(2000);
    expect(world.pulses).toBeGreaterThanOrEqual(Math.floor(2000 / IDLE_TURN_MS));
  });
});

describe('a turn', () => {
  it('removes first, commits once, then does the rest: words, and then scripts', () => {
    world.emit(persistService, run(), send(1), history);
    world.emit(
      { type: 'reply', request: 7, ok: true, code: '', message: '', operation: '' },
      { type: 'kill', run: 9, reason: '' },
      { type: 'kill.service', service: 'x', reason: '' },
      { type: 'guard.verified', service: 'z' },
    );
    world.time.settle();
    expect(world.journal).toEqual([
      'kill 9',
      'kill.service x',
      'verified z',
      'commit 2',
      'published s',
      'send 1',
      'reply 7 ok',
      'flush',
      'run 1',
    ]);
  });

  it('says everything before it starts a script, of several reports the newest', () => {
    world.emit(
      { type: 'exit', reason: 'asked' },
      run({ run: 1, action: 'disable' }),
      send(1),
      run({ run: 2, token, exclusive: true }),
      run({ run: 3, action: 'disable' }),
      send(2),
    );
    world.time.settle();
    expect(world.journal).toEqual(['send 2', 'run 2', 'flush', 'run 1', 'run 3', 'exit asked']);
  });

  it('commits nothing when nothing changed', () => {
    world.emit({ type: 'watch', service: 's', pidFile: '/run/s.pid' });
    world.time.settle();
    expect(world.journal).toEqual(['watch s']);
  });

  it('takes back a run that is killed in the turn that asked for it', () => {
    world.emit(run({ run: 4 }), { type: 'kill', run: 4, reason: 'changed its mind' });
    world.time.settle();
    expect(world.journal).toEqual([]);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: 'run.done', run: 4, outcome: { kind: 'aborted' } }),
    );
  });

  it('watches before it starts, and releases only after the commit', () => {
    world.emit({ type: 'guard.hold', holding: false }, persistService);
    world.time.settle();
    world.emit(persistService, { type: 'guard.hold', holding: true });
    world.time.settle();
    expect(world.journal.filter((line) => /hold|commit/.test(line))).toEqual([
      'commit 1',
      'hold false',
      'hold true',
      'commit 1',
    ]);
  });

  it('hands events over in order and bounded per turn', () => {
    for (let i = 0; i < 3000; i += 1) world.loop.post({ type: 'process.died', service: 's', pid: i });
    world.time.settle();
    const pids = world.events.map((event) => (event.type === 'process.died' ? event.pid : -1));
    expect(pids).toEqual(Array.from({ length: 3000 }, (_, i) => i));
    expect(world.loop.statistics().turns).toBeGreaterThanOrEqual(3);
    // The first turn is the start of the engine.
    expect(world.mores.filter((more) => !more)).toHaveLength(world.loop.statistics().turns - 1);
    expect(world.mores.at(-1)).toBe(false);
  });

  it('ends the process when the engine breaks an invariant', () => {
    world.script.push([persistService]);
    const broken = new AssertionError('impossible');
    Object.defineProperty(world.script, 'shift', {
      value: () => {
        throw broken;
      },
    });
    world.loop.post(poke);
    world.loop.post(poke);
    world.time.settle();
    expect(world.fatal).toBe(broken);
    expect(world.events).toHaveLength(1);
    expect(world.journal).toEqual([]);
  });
});

describe('timers', () => {
  it('come back with key and generation when due, a disarmed one never', () => {
    world.emit(
      { type: 'timer', key: 'a', generation: 1, at: 1500 },
      { type: 'timer', key: 'b', generation: 2, at: 1200 },
      { type: 'timer', key: 'c', generation: 3, at: 1100 },
      { type: 'timer', key: 'c', generation: 3, at: null },
    );
    world.time.advance(199);
    expect(world.events.filter((event) => event.type === 'timer')).toEqual([]);
    world.time.advance(1);
    expect(world.events.at(-1)).toEqual({ type: 'timer', key: 'b', generation: 2 });
    world.time.advance(300);
    expect(world.events.at(-1)).toEqual({ type: 'timer', key: 'a', generation: 1 });
    expect(world.events.filter((event) => event.type === 'timer')).toHaveLength(2);
  });
});

describe('a failing commit', () => {
  beforeEach(() => {
    world.stored = { ok: false, reason: 'disk full' };
  });

  it('refuses what activates, withholds the report, and still stops things', () => {
    world.emit(
      persistService,
      run({ run: 1, token, exclusive: true }),
      run({ run: 2, action: 'disable' }),
      { type: 'kill', run: 3, reason: '' },
      send(1),
      { type: 'reply', request: 5, ok: true, code: '', message: '', operation: '' },
    );
    world.time.settle();
    expect(world.journal).toEqual([
      'kill 3',
      'commit 1 failed',
      'reply 5 not-stored',
      'refuse 1: not stored: disk full',
      'flush',
      'run 2',
    ]);
  });

  it('is told to the engine when it lasts', () => {
    world.emit(persistService);
    world.time.advance(STORE_PATIENCE_MS - 1);
    expect(world.events).toEqual([poke]);
    world.time.advance(COMMIT_RETRY_MS_MAX + 1);
    expect(world.events.at(-1)).toEqual({ type: 'store.failed', reason: 'disk full' });
    world.stored = { ok: true };
    world.time.advance(COMMIT_RETRY_MS_MAX);
    expect(world.events.at(-1)).toEqual({ type: 'store.ok' });
    expect(world.events).toHaveLength(3);
  });

  it.each([0, 0.5])('is repeated on an idle node too, by timers that fire %f ms early', (earlyMs) => {
    const rounds = Math.ceil((STORE_PATIENCE_MS + COMMIT_RETRY_MS_MAX) / RENEWAL_INTERVAL_MS);
    world.time.earlyMs = earlyMs;
    world.emit(persistService);
    world.time.settle();
    idle(rounds);
    expect(world.events).toContainEqual({ type: 'store.failed', reason: 'disk full' });
    world.stored = { ok: true };
    idle(rounds);
    expect(world.events).toContainEqual({ type: 'store.ok' });
  });

  it('lets the word out that nothing is active here', () => {
    world.emit(persistService, { type: 'guard.hold', holding: false }, send(1), send(2, true));
    world.time.settle();
    expect(world.journal).toEqual(['commit 1 failed', 'hold false', 'keep the word', 'send 2']);
  });

  it('stores no end of an earlier word once there is a new one', () => {
    world.emit(persistService, { type: 'persist.word' }, send(1));
    world.time.settle();
    world.emit(send(2, true));
    world.time.settle();
    world.stored = { ok: true };
    world.time.advance(COMMIT_RETRY_MS_MAX);
    expect(world.commits[0]).toContainEqual({ type: 'persist.word' });
    expect(world.commits.at(-1)).toEqual([persistService]);
  });

  it('gives no such word that the next sm would not know of', () => {
    world.keepsWord = false;
    world.emit(persistService, { type: 'guard.hold', holding: false }, send(1, true));
    world.time.settle();
    expect(world.journal).toEqual(['commit 1 failed', 'hold false', 'keep the word failed']);
  });

  it('is not repeated in every turn, and everything is stored once it works', () => {
    world.emit(persistService, history, send(1));
    world.time.settle();
    world.emit({ ...persistService, state: 'disabled' }, send(2));
    world.time.settle();
    expect(world.commits).toHaveLength(1);
    world.time.advance(100);
    expect(world.commits).toHaveLength(2);
    world.stored = { ok: true };
    world.time.advance(200);
    expect(world.commits).toHaveLength(3);
    expect(world.commits[2]).toEqual([{ ...persistService, state: 'disabled' }, history]);
    expect(world.journal.filter((line) => line.startsWith('send'))).toEqual(['send 2']);
    expect(world.journal.filter((line) => line.startsWith('published'))).toEqual(['published s']);
    expect(world.events.filter((event) => event.type.startsWith('store.'))).toEqual([]);
  });

  it('still allows the orderly end', () => {
    world.emit(persistService, { type: 'exit', reason: 'asked' });
    world.time.settle();
    expect(world.journal.at(-1)).toBe('exit asked');
  });

  it('forbids a start anew, which would forget what could not be stored', () => {
    world.emit(persistService, { type: 'restart', reason: 'upgrade' });
    world.time.settle();
    expect(world.journal).not.toContain('restart upgrade');
    world.stored = { ok: true };
    world.time.advance(COMMIT_RETRY_MS_MAX);
    world.emit({ type: 'restart', reason: 'upgrade' });
    world.time.settle();
    expect(world.journal.at(-1)).toBe('restart upgrade');
  });
});
