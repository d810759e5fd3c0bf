import { beforeEach, describe, expect, it } from 'vitest';
import type { Token } from '../../../src/core/cluster/token.ts';
import type { EngineEvent } from '../../../src/core/engine-interface.ts';
import type { RunEffect } from '../../../src/core/service/interface.ts';
import { LISTING_LIMIT_MS, Performer } from '../../../src/shell/perform.ts';
import type { RunResult } from '../../../src/shell/ports.ts';
import { FakeTime, silentLog } from './fakes.ts';

const token = { group: 'g', activation: 3, deadline: 9000 } as unknown as Token;
const effect: RunEffect = {
  type: 'run',
  run: 1,
  service: 's',
  action: 'go-active',
  pluginType: 'ocf-script',
  pluginClass: 'ocf',
  pluginName: 'sm',
  command: 'start',
  environment: {},
  timeoutMs: 1000,
  token,
  exclusive: true,
  pidFile: '',
  kernelState: false,
};

class World {
  readonly time = new FakeTime();
  readonly journal: string[] = [];
  readonly posted: EngineEvent[] = [];
  readonly ends = new Map<number, (result: RunResult) => void>();
  verdict = { deadline: Number.POSITIVE_INFINITY, lost: false };
  readonly performer: Performer;

  constructor() {
    this.performer = new Performer({
      heartbeat: () => {},
      runner: {
        start: (started, done) => {
          this.journal.push(`spawn ${started.run}`);
          this.ends.set(started.run, done);
        },
        abort: (run) => this.journal.push(`abort ${run}`),
        killService: (service) => this.journal.push(`kill ${service}`),
        watch: () => {},
        killEntry: ({ service }) => ({
          service,
          cgroup: null,
          pidFile: '',
          marker: '',
          kernelState: false,
          enabledAt: null,
        }),
      },
      killList: {
        list: (run, entry, activating) => {
          this.journal.push(`list ${run} ${entry.service} ${activating}`);
        },
      },
      verdict: () => this.verdict,
      post: (event) => this.posted.push(event),
      time: this.time,
      log: silentLog,
    });
  }

  end(run: number): void {
    this.ends.get(run)?.({ outcome: { kind: 'exit', code: 0 }, outputTail: '', durationMs: 5 });
  }

  outcome(): unknown {
    const last = this.posted.at(-1);
    return last?.type === 'run.done' ? last.outcome : last;
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('an exclusive run', () => {
  it('is spawned only after sm-watchdog has listed it', () => {
    world.performer.run(effect);
    expect(world.journal).toEqual(['list 1 s true']);
    world.performer.listed(1, true, '');
    expect(world.journal).toEqual(['list 1 s true', 'spawn 1']);
    world.end(1);
    expect(world.outcome()).toEqual({ kind: 'exit', code: 0 });
  });

  it('is refused with the reason of sm-watchdog', () => {
    world.performer.run(effect);
    world.performer.listed(1, false, 'permission is lost');
    expect(world.outcome()).toEqual({
      kind: 'refused',
      reason: 'sm-watchdog refused: permission is lost',
      transient: true,
    });
    expect(world.ends.size).toBe(0);
  });

  it('is refused when sm-watchdog does not answer', () => {
    world.performer.run(effect);
    world.time.advance(LISTING_LIMIT_MS);
    expect(world.outcome()).toMatchObject({ kind: 'refused' });
    world.performer.listed(1, true, '');
    expect(world.ends.size).toBe(0);
    expect(world.performer.unknownRuns).toBe(1);
  });

  it.each([
    ['the token ran out', (w: World) => w.time.advance(500), 'ran out'],
    [
      'the permission ran out',
      (w: World) => {
        w.verdict = { deadline: 1000, lost: false };
      },
      'ran out',
    ],
    [
      'the permission was lost',
      (w: World) => {
        w.verdict = { deadline: Number.POSITIVE_INFINITY, lost: true };
      },
      'was lost',
    ],
  ])('is refused at the last moment when %s', (_name, change, reason) => {
    const short = { ...effect, token: { ...token, deadline: 1000 + 500 } as Token };
    world.performer.run(short);
    change(world);
    world.performer.listed(1, true, '');
    expect(world.ends.size).toBe(0);
    expect(world.outcome()).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) });
  });

  it('is aborted unspawned when it is killed while it waits for the list', () => {
    world.performer.run(effect);
    world.performer.kill(1, 'not wanted');
    world.performer.listed(1, true, '');
    expect(world.outcome()).toEqual({ kind: 'aborted' });
    expect(world.ends.size).toBe(0);
  });

  it.each(['disable', 'audit-enabled'] as const)('%s, without a token, waits for nobody', (action) => {
    world.performer.run({ ...effect, action, token: null });
    expect(world.journal).toEqual(['spawn 1']);
  });
});

it('drops and counts results of unknown runs', () => {
  world.performer.run({ ...effect, exclusive: false, token: null });
  world.end(1);
  world.end(1);
  expect(world.posted).toHaveLength(1);
  expect(world.performer.unknownRuns).toBe(1);
});
