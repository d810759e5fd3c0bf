/** The what-if of `sm-sim`: on definition sets as they are shipped, and on a database whose history knows how long scripts take. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import type { DefinitionSet } from '../../src/core/definitions/model.ts';
import { keyOf, median, scriptTimes } from '../../src/core/story/durations.ts';
import { loadRows } from '../../src/shell/store/source.ts';
import { openStore } from '../../src/shell/store/store.ts';
import { type WhatIfEvent, whatIf } from '../../src/sim/what-if.ts';
import { arbitersText, linesOf, summaryOf } from '../../src/sim/what-if-report.ts';
import { ROOT } from '../tidy/project.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-what-if-'));
afterAll(() => rmSync(directory, { recursive: true }));

const NOTHING: WhatIfEvent = { kill: [], cut: [], swact: [], die: [], arbitersDie: false };

function setOf(name: string): DefinitionSet {
  const loaded = loadRows(join(ROOT, 'db', 'definitions', name));
  const set = loaded.ok ? buildDefinitions(loaded.value.rows).set : null;
  if (set === null) throw new Error(`no set ${name}`);
  return set;
}

const ask = (set: DefinitionSet, event: Partial<WhatIfEvent>, scriptMs: () => number | null = () => null) =>
  whatIf(
    { definitions: set, scriptMs, active: 'controller-0', locked: [], event: { ...NOTHING, ...event } },
    1,
  );

describe('the demo set', () => {
  const demo = setOf('demo');

  test('a power-off: silence, announcement, stop bound, then the scripts', () => {
    const { problem, gaps, overlaps, totalMs, timeline } = ask(demo, { kill: ['controller-0'] }, () => 100);
    expect(problem).toBe('');
    expect(overlaps).toEqual([]);
    expect(gaps).toMatchObject([{ group: 'shop-services', from: 'controller-0', to: 'controller-1' }]);
    const { goneAtMs, backAtMs } = gaps[0] ?? {};
    expect(goneAtMs).toBe(0);
    // d - hello + S, and three scripts in a row, at least.
    expect(backAtMs).toBeGreaterThan(800 - 200 + 300 + 300);
    expect(backAtMs).toBeLessThan(2500);
    expect(totalMs).toBeGreaterThanOrEqual(backAtMs ?? 0);
    expect(timeline[0]).toMatchObject({ atMs: 0, entity: 'power', to: 'off' });
    expect(timeline.some(({ name, to }) => name === 'shop-web' && to === 'enabled-active')).toBe(true);
  });

  test('scripts that take longer make it longer by as much', () => {
    const backOf = (ms: number) => ask(demo, { swact: ['controller-0'] }, () => ms).gaps[0]?.backAtMs ?? 0;
    expect(backOf(2000) - backOf(100)).toBeGreaterThan(3 * 1900);
  });

  test('a full cut under takeover: both act, and it is said', () => {
    const summary = summaryOf([ask(demo, { cut: [0, 1, 2] })]);
    expect(summary.overlaps).toEqual(['shop-services']);
    expect(linesOf(summary).join('\n')).toContain('BOTH NODES ACT for group shop-services');
  });

  test('one link less, and nothing moves', () => {
    const summary = summaryOf([ask(demo, { cut: [1] })]);
    expect(summary).toMatchObject({ ok: true, groups: [], overlaps: [] });
    expect(linesOf(summary)).toContain('no group is away for a moment');
  });
});

describe('the demo set, with arbiters', () => {
  const demo = setOf('demo');
  const times = { stampIntervalMs: 200, requestLimitMs: 200 };
  const etcd = {
    endpoints: ['https://192.0.2.9:2379'],
    userName: '',
    passwordSecret: '',
    caFile: '',
    certificateFile: '',
    certificateKeySecret: '',
    ...times,
  };
  const devices = demo.nodes.map((node) => ({
    name: `bmc-${node}`,
    node,
    level: 1,
    agent: 'fence_ipmilan',
    parameters: [],
    secrets: [],
    statusLimitMs: 1000,
    offLimitMs: 3000,
    verifyLimitMs: 3000,
  }));
  const fencing = { delayMs: 0, afterwards: 'off', verifyGapMs: 200, auditIntervalMs: 60_000 } as const;
  const none = { etcd: null, disk: null, gateways: [], fencing: { ...fencing, devices: [] } };
  const RECORDS = [
    ['etcd', { ...none, etcd }],
    ['disk', { ...none, disk: { device: '/dev/shared', ...times } }],
    ['fence', { ...none, fencing: { ...fencing, devices } }],
  ] as const;

  test.each(RECORDS)('%s: a power-off is taken over, a full cut lets one act', (_, arbiters) => {
    const set = { ...demo, arbiters };
    const killed = summaryOf([ask(set, { kill: ['controller-0'] })]);
    expect(killed).toMatchObject({ ok: true, overlaps: [] });
    expect(killed.groups).toMatchObject([{ from: 'controller-0', to: 'controller-1' }]);
    expect(killed.groups[0]?.medianMs).toBeLessThan(5000);
    expect(summaryOf([ask(set, { cut: [0, 1, 2] })]).overlaps).toEqual([]);
  });

  test.each(RECORDS)('%s, dead: nobody takes over', (_, arbiters) => {
    const set = { ...demo, arbiters };
    const { ok, groups } = summaryOf([ask(set, { kill: ['controller-0'], arbitersDie: true })]);
    expect(ok).toBe(true);
    expect(groups).toMatchObject([{ to: '', medianMs: null }]);
  });

  test('the node on which they really are begins, also where none may begin alone', () => {
    const request = { definitions: { ...demo, arbiters: RECORDS[2][1] }, scriptMs: () => null, locked: [] };
    const event = { ...NOTHING, kill: ['controller-1'] };
    const { problem, gaps } = whatIf({ ...request, active: 'controller-1', event }, 1);
    expect([problem, gaps[0]?.from, gaps[0]?.to]).toEqual(['', 'controller-1', 'controller-0']);
  });

  test('what answers is said', () => {
    const set = { ...demo, arbiters: { ...RECORDS[0][1], fencing: { ...fencing, devices } } };
    expect(arbitersText(set, false)).toBe(
      'arbiters: the record in etcd, the power of controller-0, the power of controller-1: each answers',
    );
    expect(arbitersText(set, true)).toContain('none answers from this moment on');
    expect(arbitersText({ ...demo, arbiters: none }, false)).toBe('');
  });
});

test("StarlingX's set: all its groups go over", () => {
  const { problem, gaps, assumed } = ask(setOf('starlingx'), { kill: ['controller-0'] });
  expect(problem).toBe('');
  expect(gaps.length).toBeGreaterThan(3);
  for (const { to, backAtMs } of gaps)
    expect([to, (backAtMs ?? Infinity) < 10_000]).toEqual(['controller-1', true]);
  expect(assumed).toContain('mtc-agent enable');
});

test('times of scripts come from the history: the median of what went well', () => {
  const told = (name: string, reason: string) => ({ entity: 'service', name, reason });
  const times = scriptTimes([
    told('a', 'enable success after 100 ms <- wanted'),
    told('a', 'enable success after 900 ms'),
    told('a', 'enable success after 300 ms, at try 2: exited 1'),
    told('a', 'go-active success after 5 ms'),
    told('b', 'x enable exited 1 after 7 ms'),
    { ...told('c', 'enable success after 1 ms'), entity: 'group' },
  ]);
  expect([...times]).toEqual([
    [keyOf('a', 'enable'), 300],
    [keyOf('a', 'go-active'), 5],
  ]);
  expect(median([1, 2])).toBe(1.5);
});

test('of a live database nothing is changed, and what it knows is used', () => {
  const path = join(directory, 'sm.db');
  const opened = openStore(path);
  const loaded = loadRows(join(ROOT, 'db', 'definitions', 'demo'));
  if (!opened.ok || !loaded.ok) throw new Error('no store');
  const store = opened.value;
  store.seed(loaded.value.rows, [], 0);
  store.begin({ node: 'controller-1', kernelLife: 'k' });
  const active = {
    node: 'controller-1',
    group: 'shop-services',
    desired: 'active',
    state: 'active',
  } as const;
  const took = { entity: 'service', cause: 'enable-success', actor: 'engine', from: 'enabling' } as const;
  store.commit(
    [
      { type: 'persist.assignment', assignment: { ...active, status: '', condition: '' } },
      {
        type: 'history',
        ...took,
        name: 'shop-web',
        to: 'enabled-active',
        reason: 'enable success after 4321 ms',
      },
    ],
    1,
  );
  const sum = () =>
    createHash('sha256')
      .update(readFileSync(path))
      .update(readFileSync(`${path}-wal`))
      .digest('hex');
  const before = sum();
  const args = [
    '--import',
    'tsx',
    'src/bin/sm-sim.ts',
    'what-if',
    path,
    '--kill',
    'controller-1',
    '--runs',
    '1',
    '--json',
  ];
  const out = execFileSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const summary = JSON.parse(out.trim().split('\n').at(-1) ?? '') as ReturnType<typeof summaryOf>;
  expect(summary.groups).toMatchObject([
    { group: 'shop-services', from: 'controller-1', to: 'controller-0' },
  ]);
  expect(summary.groups[0]?.medianMs).toBeGreaterThan(4321);
  expect(summary.assumed).not.toContain('shop-web enable');
  expect(sum()).toBe(before);
  store.close();
});
