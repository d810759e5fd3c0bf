/** A running pair, ordered by REST: each order is followed to its end, by its id and by the stream; the audit shows all. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createToken, type Role, revokeToken } from '../../../src/shell/credentials/tokens.ts';
import { buildPrograms } from '../pair/build.ts';
import { eventually, isGroupActive, TestNode } from '../pair/node.ts';
import { settled } from '../pair/settled.ts';
import { type ApiProcess, freePort, startApi, untilSaid, writeApiConfiguration } from './program.ts';

const LIMIT_MS = 30_000;
const programs = buildPrograms();
const pair: TestNode[] = [];
let api: ApiProcess;
let base: string;
let directory: string;
/** Names of the nodes, as they are at the start. */
let active: string;
let standby: string;

beforeAll(async () => {
  for (const index of [0, 1] as const)
    pair.push(TestNode.make(programs.root, programs.dist, index, 61, 3000));
  for (const node of pair) node.start();
  const found = await settled(pair);
  [active, standby] = [found.active.name, found.standby.name];
  directory = found.active.directory;
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  api = startApi(['--config', writeApiConfiguration(directory, { port })]);
  await untilSaid(api, '"msg":"listens"');
});
afterAll(async () => {
  api.child.kill('SIGKILL');
  for (const node of pair) await node.destroy();
  rmSync(programs.root, { recursive: true, force: true });
});

const token = (role: Role, name: string = role): string => {
  const wanted = { name, role, expiresAt: 0, createdBy: 'test', now: Date.now() };
  const made = createToken(join(directory, 'tokens'), wanted);
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
};

type Json = Record<string, unknown>;

async function ask(path: string, headers: Record<string, string> = {}): Promise<Json> {
  return (await (await fetch(`${base}${path}`, { headers })).json()) as Json;
}

async function order(node: string, action: string, credential: string) {
  const response = await fetch(`${base}/v1/servicenode/${node}`, {
    method: 'PATCH',
    headers: { 'x-auth-token': credential, 'content-type': 'application/json' },
    body: JSON.stringify({ origin: 'test', action }),
  });
  const body = (await response.json()) as Json;
  return { status: response.status, body, operation: response.headers.get('x-sm-operation') ?? '' };
}

/** The operation at its end. */
const ended = (id: string): Promise<Json> =>
  eventually(`${id} ends`, LIMIT_MS, async () => {
    const operation = await ask(`/v1/operations/${id}`);
    return operation.ended === true ? operation : null;
  });

const groupOn = async (node: string): Promise<unknown> => {
  const { sm_sda: rows } = (await ask('/v1/sm_sda')) as { sm_sda: Json[] };
  return rows.find((row) => row.node_name === node && row.service_group_name === 'app')?.state;
};

/** Settled again after an order: nothing is on its way. */
const groupsAre = (on: string, off: string, state: string) =>
  eventually(`app is active on ${on} and ${state} on ${off}`, LIMIT_MS, async () =>
    (await groupOn(on)) === 'active' && (await groupOn(off)) === state ? true : null,
  );

test('what is read is what the pair is', async () => {
  const { nodes } = (await ask('/v1/nodes')) as { nodes: Json[] };
  expect(nodes.map(({ name }) => name).sort()).toEqual([active, standby].sort());
  for (const node of nodes)
    expect(node).toMatchObject({
      administrative_state: 'unlocked',
      operational_state: 'enabled',
      availability_status: 'available',
      ready_state: 'enabled',
    });
  await groupsAre(active, standby, 'standby');
  const { sm_sda: rows } = (await ask('/v1/sm_sda')) as { sm_sda: Json[] };
  expect(rows).toHaveLength(4);
  for (const { uuid } of rows) expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
  expect(await ask(`/v1/servicenode/${active}`)).toMatchObject({
    active_services: 'yes',
    swactable_services: 'yes',
  });
  expect(await ask(`/v1/servicenode/${standby}`)).toMatchObject({ swactable_services: 'no' });
  const { services } = (await ask('/v1/services')) as { services: Json[] };
  expect(services.map(({ name, state }) => [name, state]).sort()).toEqual([
    ['app-store', 'enabled-active'],
    ['app-web', 'enabled-active'],
    ['everywhere', 'enabled-active'],
  ]);
  expect(await ask('/v1/health/ready')).toMatchObject({ ready: true, reasons: [] });
  const config = join(directory, 'sm.yaml');
  const checked = execFileSync(
    process.execPath,
    [join(programs.dist, 'bin/sm.js'), '--check', '--config', config],
    {
      encoding: 'utf8',
    },
  );
  const { digest } = (await ask('/v1/definitions')) as { digest: string };
  expect(checked).toContain(`definitions ${digest}`);
});

test('a pair is locked, unlocked, and moved there and back, each followed to its end', async () => {
  const operator = token('operator');
  const stop = new AbortController();
  const stream = await fetch(`${base}/v1/stream`, { signal: stop.signal });
  let streamed = '';
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const piece of stream.body ?? []) streamed += decoder.decode(piece as Uint8Array);
  })().catch(() => {});

  expect((await order(standby, 'lock-pre-check', operator)).body.error_code).toBe('0');
  const lock = await order(standby, 'lock', operator);
  expect([lock.status, lock.body.error_code]).toEqual([200, '0']);
  expect(await ended(lock.operation)).toMatchObject({
    kind: 'lock',
    step: 'done',
    actor: 'api: token operator',
  });
  const refused = await order(active, 'swact', operator);
  expect([refused.status, JSON.parse(String(refused.body.error_message)).error_code]).toEqual([400, '-1001']);
  const unlock = await order(standby, 'unlock', operator);
  expect(await ended(unlock.operation)).toMatchObject({ step: 'done' });
  await groupsAre(active, standby, 'standby');

  const ids = [lock.operation, unlock.operation];
  for (const [action, from, to] of [
    ['swact', active, standby],
    ['swact-force', standby, active],
  ] as const) {
    const moved = await order(from, action, operator);
    expect([action, moved.status, moved.body]).toEqual([
      action,
      200,
      expect.objectContaining({ error_code: '0' }),
    ]);
    expect(await ended(moved.operation)).toMatchObject({ kind: action, step: 'done' });
    await groupsAre(to, from, 'standby');
    ids.push(moved.operation);
  }
  const view = await pair.find(({ name }) => name === active)?.view();
  expect(view === null || view === undefined ? false : isGroupActive(view)).toBe(true);

  // What ended with an operation is in the history of the leader; what its groups did is in that of each node.
  const inStream = await eventually('the stream told of both moves', LIMIT_MS, () => {
    const events = [...streamed.matchAll(/^event: change\ndata: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data ?? '') as Json,
    );
    const states = events
      .filter(({ entity, name }) => entity === 'group' && name === 'app')
      .map(({ to }) => to);
    return states.includes('standby') && states.lastIndexOf('active') > states.indexOf('standby')
      ? events
      : null;
  });
  const numbers = inStream.map(({ id }) => Number(id));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  stop.abort();
  await reading;

  const reader = token('reader');
  expect((await order(standby, 'lock', reader)).status).toBe(403);
  revokeToken(join(directory, 'tokens'), 'operator');
  expect((await order(standby, 'lock', operator)).status).toBe(401);

  const audit = readFileSync(join(directory, 'audit.log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
  expect(audit.map(({ who, action, status }) => [who, action, status])).toEqual([
    ['token operator', `lock-pre-check ${standby}`, 200],
    ['token operator', `lock ${standby}`, 200],
    ['token operator', `swact ${active}`, 400],
    ['token operator', `unlock ${standby}`, 200],
    ['token operator', `swact ${active}`, 200],
    ['token operator', `swact-force ${standby}`, 200],
    ['token reader', '', 403],
    [expect.any(String), '', 401],
  ]);
  expect(audit.map(({ operation }) => operation).filter((id) => id !== '')).toEqual(ids);
}, 120_000);
