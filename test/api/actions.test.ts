/** Node actions as mtce and sysinv order them, our own orders, and who may give them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiFixture, makeApi } from './fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await makeApi();
  api.uid = 0;
});
afterEach(() => api.close());

const call = async (method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object, headers = {}) => {
  const response = await api.app.inject({
    method,
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, headers: response.headers, body: response.json() };
};
const patch = (node: string, payload: object, headers = {}) =>
  call('PATCH', `/v1/servicenode/${node}`, payload, headers);
const inside = (body: { error_message: string }) => JSON.parse(body.error_message);

test('GET tells what mtce waits for', async () => {
  expect((await call('GET', '/v1/servicenode/controller-0')).body).toEqual({
    origin: 'sm',
    hostname: 'controller-0',
    admin: 'unlocked',
    oper: 'enabled',
    avail: 'available',
    active_services: 'yes',
    swactable_services: 'yes',
  });
  expect((await call('GET', '/v1/servicenode/controller-1')).body).toMatchObject({
    active_services: 'yes',
    swactable_services: 'no',
  });
});

test('the bodies of mtce are answered with the success that it reads', async () => {
  const { status, body, headers } = await patch('controller-0', {
    origin: 'mtce',
    action: 'swact',
    admin: 'unlocked',
    oper: 'enabled',
    avail: 'online',
  });
  expect(status).toBe(200);
  expect(body).toEqual({
    origin: 'sm',
    hostname: 'controller-0',
    action: 'swact',
    admin: 'unlocked',
    oper: 'enabled',
    avail: 'unknown',
    error_code: '0',
  });
  expect(headers['x-sm-operation']).toBe('controller-0-ab12-2');
  expect(headers.location).toBe('/v1/operations/controller-0-ab12-2');
  expect(api.commands).toEqual([
    {
      actor: 'api: uid 0',
      command: { kind: 'swact', node: 'controller-0', group: '', why: 'swact by mtce', forMs: 0 },
    },
  ]);
});

test('the pre-checks of sysinv answer 200 either way', async () => {
  const asked = { origin: 'sysinv', admin: 'unknown', oper: 'unknown', avail: '' };
  const free = await patch('controller-0', { ...asked, action: 'swact-pre-check' });
  expect([free.status, free.body.error_code, free.body.error_details]).toEqual([200, '0', null]);
  const lock = await patch('controller-1', { ...asked, action: 'lock-pre-check' });
  expect([lock.status, lock.body.error_code, lock.body.impact_service_list]).toEqual([200, '0', null]);

  api.sql("UPDATE NODES SET ADMINISTRATIVE_STATE = 'locked' WHERE NAME = 'controller-1'");
  const locked = await patch('controller-0', { ...asked, action: 'swact-pre-check' });
  expect([locked.status, locked.body.error_code, locked.body.error_details]).toEqual([
    200,
    '-1001',
    'controller-1 is not ready to take service: it is locked',
  ]);
  api.sql(`UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET STATE = 'disabled'
           WHERE NODE_NAME = 'controller-0' AND SERVICE_GROUP_NAME = 'directory-services'`);
  const sole = await patch('controller-1', { ...asked, action: 'lock-pre-check' });
  expect([sole.status, sole.body.error_code, sole.body.impact_service_list]).toEqual([
    200,
    '-1003',
    ['open-ldap'],
  ]);
  expect(api.commands).toEqual([]);
});

test.each([
  ["UPDATE NODES SET OPERATIONAL_STATE = 'disabled' WHERE NAME = 'controller-1'", 'it is disabled'],
  ["DELETE FROM NODES WHERE NAME = 'controller-1'", 'nothing is known of it'],
  ["DELETE FROM SERVICE_DOMAIN_ASSIGNMENTS WHERE NODE_NAME = 'controller-1'", 'no peer is available'],
  [
    "UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET STATE = 'disabled' WHERE ID = 3",
    'it is neither active nor standby',
  ],
  [
    "UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET DESIRED_STATE = 'active' WHERE ID = 3",
    'on its way from standby to active',
  ],
  ["UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET STATUS = 'failed' WHERE ID = 3", 'it has failed'],
  [
    "UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET STATUS = 'degraded', CONDITION = 'data-syncing' WHERE ID = 3",
    'it is syncing data',
  ],
])('a swact that would do harm is refused with the result inside: %s', async (sql, reason) => {
  api.sql(sql);
  const { status, body } = await patch('controller-0', { action: 'swact' });
  expect(status).toBe(400);
  expect(inside(body)).toMatchObject({ origin: 'sm', action: 'swact', error_code: '-1001' });
  expect(inside(body).error_details).toContain(reason);
  expect(api.commands).toEqual([]);
  // By force it is ordered: sm decides.
  expect((await patch('controller-0', { action: 'swact-force' })).status).toBe(200);
});

test('what does not touch a group that moves is no obstacle', async () => {
  api.sql("UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET STATUS = 'failed' WHERE ID = 4");
  expect((await patch('controller-0', { action: 'swact' })).status).toBe(200);
});

test('a refusal of sm is 409, with its words', async () => {
  api.answer = { ok: false, code: 'refused', message: 'a swact of controller-0 runs already', operation: '' };
  const { status, body } = await patch('controller-0', { action: 'swact' });
  expect(status).toBe(409);
  expect(inside(body)).toMatchObject({
    error_code: '-1001',
    error_details: 'a swact of controller-0 runs already',
  });
});

test('events of maintenance: disabled is a lock that enabled ends; a lock of a person stays', async () => {
  await patch('controller-1', { origin: 'mtce', action: 'event', oper: 'enabled', avail: 'available' });
  expect(api.commands).toEqual([]);
  await patch('controller-1', { origin: 'mtce', action: 'event', oper: 'disabled' });
  const why = 'maintenance reports the node disabled';
  expect(api.commands.at(-1)?.command).toMatchObject({ kind: 'lock', node: 'controller-1', why });
  api.sql(`UPDATE NODES SET ADMINISTRATIVE_STATE = 'locked' WHERE NAME = 'controller-1';
           INSERT INTO SM_NODE_FACTS (NODE_NAME, LOCK_REASON) VALUES ('controller-1', '${why}')`);
  await patch('controller-1', { origin: 'mtce', action: 'event', oper: 'enabled' });
  expect(api.commands.at(-1)?.command).toMatchObject({ kind: 'unlock', node: 'controller-1' });
  api.sql("UPDATE SM_NODE_FACTS SET LOCK_REASON = 'new disk'");
  await patch('controller-1', { origin: 'mtce', action: 'event', oper: 'enabled' });
  expect(api.commands).toHaveLength(2);
});

test.each([
  ['controller-0,swact-force', { action: 'event' }, 404, 'There is no node "controller-0,swact-force".'],
  ['controller-0', { action: 'lock-force' }, 400, 'action: it must be one of'],
  ['controller-0', { action: 'swact', colour: 'red' }, 400, 'unknown argument: "colour"'],
  ['controller-0', { action: 7 }, 400, 'body.action: it must be string'],
  ['controller-0', {}, 400, "must have required property 'action'"],
  ['controller-0', { action: 'swact', avail: 'x'.repeat(65) }, 400, 'must NOT have more than 64 characters'],
])('PATCH %s %o is refused', async (node, payload, status, sentence) => {
  const { status: got, body } = await patch(encodeURIComponent(node), payload);
  expect(got).toBe(status);
  const fault = inside(body);
  expect(fault.faultstring ?? `There is no node "controller-0,swact-force".`).toContain(sentence);
  expect(api.commands).toEqual([]);
});

test('while sm is away changes are 503, reads go on and say how old they are', async () => {
  await api.stopDaemon();
  const refused = await patch('controller-0', { action: 'swact' });
  expect([refused.status, refused.body.code]).toEqual([503, 'SM_API_DAEMON']);
  const read = await call('GET', '/v1/services');
  expect(read.status).toBe(200);
  expect(read.headers).toMatchObject({ age: '0', 'x-sm-stale': 'sm does not answer' });
  const ready = await call('GET', '/v1/health/ready');
  expect([ready.status, ready.body.ready]).toEqual([503, false]);
  expect((await call('GET', '/v1/health')).body.live).toBe(true);
});

test('an order is accepted with an id, and the id can be followed', async () => {
  const { status, body, headers } = await call('POST', '/v1/operations', {
    kind: 'lock',
    node: 'controller-1',
    why: 'new disk',
    forMs: 7_200_000,
  });
  expect(status).toBe(202);
  expect(body).toEqual({ message: 'accepted', operation: 'controller-0-ab12-2' });
  expect(headers.location).toBe('/v1/operations/controller-0-ab12-2');
  expect(api.commands[0]?.command).toEqual({
    kind: 'lock',
    node: 'controller-1',
    group: '',
    why: 'new disk',
    forMs: 7_200_000,
  });
  const one = await call('GET', '/v1/operations/controller-0-ab12-1');
  expect(one.body).toMatchObject({
    kind: 'swact',
    step: 'done',
    ended: true,
    why: 'kernel update',
    actor: 'alice',
  });
  expect((await call('GET', '/v1/operations')).body.operations).toHaveLength(1);
  expect((await call('GET', '/v1/operations/none')).status).toBe(404);
});

test('an action that is sent twice with one key is done once', async () => {
  const headers = { 'idempotency-key': 'a1' };
  const order = { kind: 'swact', node: 'controller-0' };
  const [first, second] = await Promise.all([
    call('POST', '/v1/operations', order, headers),
    call('POST', '/v1/operations', order, headers),
  ]);
  expect(second.body).toEqual(first.body);
  expect(api.commands).toHaveLength(1);
  const other = await call('POST', '/v1/operations', { ...order, node: 'controller-1' }, headers);
  expect([other.status, other.body.code]).toEqual([409, 'SM_API_KEY_REUSED']);
});

test('a refused action may be tried again with its key', async () => {
  const headers = { 'idempotency-key': 'a2' };
  api.answer = { ok: false, code: 'refused', message: 'nobody leads', operation: '' };
  expect(
    (await call('POST', '/v1/operations', { kind: 'swact', node: 'controller-0' }, headers)).status,
  ).toBe(409);
  api.answer = { ok: true, code: '', message: 'accepted', operation: 'x' };
  expect(
    (await call('POST', '/v1/operations', { kind: 'swact', node: 'controller-0' }, headers)).status,
  ).toBe(202);
});

test('services: restart, and only if it is as it was read', async () => {
  const etag = String((await call('GET', '/v1/services/keystone')).headers.etag);
  const order = { kind: 'restart-safe', why: 'new certificate' };
  expect((await call('POST', '/v1/services/keystone/actions', order, { 'if-match': etag })).status).toBe(202);
  expect(api.commands[0]?.command).toMatchObject({ kind: 'restart-safe', service: 'keystone' });
  api.sql("UPDATE SERVICES SET STATE = 'enabled-active' WHERE NAME = 'keystone'");
  const late = await call('POST', '/v1/services/keystone/actions', order, { 'if-match': etag });
  expect([late.status, late.body.code]).toEqual([412, 'SM_API_CHANGED']);
  expect((await call('POST', '/v1/services/none/actions', order)).status).toBe(404);
  expect((await call('PATCH', '/v1/services/keystone', [{ path: '/enabled' }])).status).toBe(501);
});

test('confirm-dead: an admin alone, the name twice, a reason, and a refusal that says why', async () => {
  const path = '/v1/nodes/controller-1/actions';
  const word = { kind: 'confirm-dead', again: 'controller-1', why: 'unplugged it' };
  const operator = await call('POST', path, word, { 'x-auth-token': api.token('operator') });
  expect([operator.status, operator.body.code]).toEqual([403, 'SM_API_ROLE']);
  const admin = { 'x-auth-token': api.token('admin') };
  for (const [url, body, place] of [
    [path, { ...word, again: 'controller-0' }, 'body.again'],
    [path, { ...word, why: ' ' }, 'body.why'],
    [path, { kind: 'confirm-dead', again: 'controller-1' }, 'body: it must have required'],
    // By its number nobody has typed the name twice.
    ['/v1/nodes/2/actions', word, 'body.again'],
  ] as const) {
    const answer = await call('POST', url, body, admin);
    expect([answer.status, inside(answer.body).faultstring]).toEqual([400, expect.stringContaining(place)]);
  }
  expect((await call('POST', '/v1/nodes/nobody/actions', { ...word, again: 'nobody' }, admin)).status).toBe(
    404,
  );
  expect(api.commands).toEqual([]);
  expect((await call('POST', path, word, admin)).status).toBe(202);
  const command = { kind: 'confirm-dead', node: 'controller-1', why: 'unplugged it' };
  expect(api.commands).toEqual([{ actor: 'api: token admin', command }]);
  expect(api.records.at(-1)).toMatchObject({
    who: 'token admin',
    action: 'confirm-dead controller-1',
    status: 202,
  });
  api.answer = { ok: false, code: 'refused', message: 'controller-1 is heard', operation: '' };
  const refused = await call('POST', path, word, admin);
  expect([refused.status, inside(refused.body).faultstring]).toEqual([
    409,
    expect.stringContaining('is heard'),
  ]);
});

test('every change and every refusal is on record: who, what, from where, with which result', async () => {
  await patch('controller-0', { action: 'swact' });
  api.uid = 1000;
  await patch('controller-0', { action: 'swact' });
  expect(api.records).toMatchObject([
    {
      who: 'uid 0',
      from: '127.0.0.1',
      method: 'PATCH',
      path: '/v1/servicenode/controller-0',
      action: 'swact controller-0',
      status: 200,
      operation: 'controller-0-ab12-2',
    },
    { who: 'uid 1000', status: 403 },
  ]);
});
