/** StarlingX's resources, as its clients read them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiFixture, makeApi } from './fixture.ts';

let api: ApiFixture;
beforeAll(async () => {
  api = await makeApi();
});
afterAll(() => api.close());

const get = async (url: string, headers: Record<string, string> = {}) => {
  const response = await api.app.inject({ method: 'GET', url, headers });
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response.body === '' ? null : response.json(),
  };
};

test('the root names the version', async () => {
  const { status, body } = await get('/');
  expect(status).toBe(200);
  expect(body).toEqual({
    name: 'System Management API',
    description: 'Service groups of a pair of controllers',
    version: [{ id: 'v1', links: [{ href: 'http://localhost:80/v1/', rel: 'self' }] }],
    default_version: { id: 'v1', links: [{ href: 'http://localhost:80/v1/', rel: 'self' }] },
  });
});

test('/v1 links to every resource, with and without a slash', async () => {
  for (const url of ['/v1', '/v1/']) {
    const { body } = await get(url);
    expect(Object.keys(body)).toEqual([
      'id',
      'links',
      'nodes',
      'service_groups',
      'services',
      'sm_sda',
      'servicenode',
    ]);
    expect(body.sm_sda).toEqual([
      { href: 'http://localhost:80/v1/sm_sda/', rel: 'self' },
      { href: 'http://localhost:80/sm_sda/', rel: 'bookmark' },
    ]);
  }
});

test.each([
  [
    'nodes',
    'nodes',
    ['id', 'name', 'administrative_state', 'operational_state', 'availability_status', 'ready_state'],
    2,
  ],
  ['services', 'services', ['id', 'name', 'desired_state', 'state', 'status'], 3],
  [
    'service_groups',
    'service_groups',
    [
      'id',
      'uuid',
      'name',
      'node_name',
      'service_group_name',
      'state',
      'desired_state',
      'status',
      'condition',
    ],
    4,
  ],
  [
    'sm_sda',
    'sm_sda',
    [
      'id',
      'uuid',
      'name',
      'node_name',
      'service_group_name',
      'state',
      'desired_state',
      'status',
      'condition',
    ],
    4,
  ],
  [
    'servicegroup',
    'sm_servicegroup',
    [
      'id',
      'uuid',
      'name',
      'node_name',
      'service_group_name',
      'state',
      'desired_state',
      'status',
      'condition',
    ],
    4,
  ],
  [
    'servicenodes',
    'nodes',
    ['id', 'name', 'administrative_state', 'operational_state', 'availability_status', 'ready_state'],
    2,
  ],
])('/v1/%s has the members of StarlingX, in its order', async (path, member, members, count) => {
  const { status, body } = await get(`/v1/${path}`);
  expect(status).toBe(200);
  expect(Object.keys(body)).toEqual([member]);
  expect(body[member]).toHaveLength(count);
  expect(Object.keys(body[member][0])).toEqual(members);
});

test('one is found by id, by name, by uuid; a missing one is 404 with a fault that smc prints', async () => {
  expect((await get('/v1/nodes/controller-1')).body.id).toBe(2);
  expect((await get('/v1/nodes/2')).body.name).toBe('controller-1');
  expect((await get('/v1/sm_sda/6d1c0b3e-0000-5000-8000-000000000003')).body.node_name).toBe('controller-1');
  const { status, body } = await get('/v1/services/nothing');
  expect(status).toBe(404);
  expect(body.code).toBe('SM_API_NOT_FOUND');
  expect(JSON.parse(body.error_message)).toEqual({
    faultcode: 'Client',
    faultstring: 'There is no service "nothing".',
    debuginfo: null,
  });
});

test('every list can be paged to its end', async () => {
  for (const [path, member, key] of [
    ['nodes', 'nodes', 'name'],
    ['services', 'services', 'name'],
    ['sm_sda', 'sm_sda', 'uuid'],
  ] as const) {
    const whole = (await get(`/v1/${path}`)).body[member];
    const seen: string[] = [];
    let url: string | undefined = `/v1/${path}?limit=1`;
    for (let pages = 0; url !== undefined; pages += 1) {
      expect(pages).toBeLessThan(10);
      const { body } = await get(url.replace('http://localhost:80', ''));
      expect(body[member]).toHaveLength(1);
      seen.push(body[member][0][key]);
      url = body.next;
    }
    expect(seen).toEqual(whole.map((item: Record<string, string>) => item[key]));
  }
});

test('sorting: by any member, both ways, ties by id', async () => {
  const names = async (query: string) =>
    (await get(`/v1/services?${query}`)).body.services.map(({ name }: { name: string }) => name);
  expect(await names('sort_key=name')).toEqual(['keystone', 'oam-ip', 'open-ldap']);
  expect(await names('sort_key=name&sort_dir=desc')).toEqual(['open-ldap', 'oam-ip', 'keystone']);
  expect(await names('sort_key=desired_state')).toEqual(['oam-ip', 'open-ldap', 'keystone']);
});

test.each([
  ['limit=-1', 'limit: it must be a whole number that is not negative.'],
  ['limit=1e9', 'limit: it must be a whole number that is not negative.'],
  ['limit=99999999999', 'limit: it must be a whole number that is not negative.'],
  ['sort_dir=up', 'sort_dir: it must be asc or desc.'],
  ['sort_key=password', 'sort_key: it must be one of id, name, desired_state, state, status.'],
  ['sort_key=__proto__', 'sort_key: it must be one of id, name, desired_state, state, status.'],
  ['colour=red', 'querystring: unknown argument: "colour".'],
  ['limit=1&limit=2', 'querystring.limit: it must be string.'],
])('?%s is refused with its place', async (query, sentence) => {
  const { status, body } = await get(`/v1/services?${query}`);
  expect(status).toBe(400);
  expect(JSON.parse(body.error_message).faultstring).toBe(sentence);
});

test('a marker that names nothing is 404', async () => {
  expect((await get('/v1/services?marker=gone')).status).toBe(404);
});

test('an answer that the client has is 304, until the database changes', async () => {
  const first = await get('/v1/services');
  const etag = String(first.headers.etag);
  expect((await get('/v1/services', { 'if-none-match': etag })).status).toBe(304);
  api.sql("UPDATE SERVICES SET STATE = 'enabling' WHERE NAME = 'keystone'");
  const second = await get('/v1/services', { 'if-none-match': etag });
  expect(second.status).toBe(200);
  expect(second.body.services.find(({ name }: { name: string }) => name === 'keystone').state).toBe(
    'enabling',
  );
});

test('a Host header that is none does not come back in links', async () => {
  const { body } = await get('/v1', { host: 'evil"><script>' });
  expect(JSON.stringify(body)).not.toContain('script');
});

test('a wrong address is 404, a wrong method 405 with Allow', async () => {
  expect((await get('/v2')).body.code).toBe('SM_API_PATH');
  for (const [method, url, allow] of [
    ['POST', '/v1/nodes', 'GET, HEAD'],
    ['PUT', '/v1/servicenode/controller-0', 'GET, HEAD, PATCH'],
    ['DELETE', '/v1/services/oam-ip', 'GET, HEAD, PATCH'],
  ] as const) {
    const response = await api.app.inject({ method, url });
    expect([response.statusCode, response.headers.allow]).toEqual([405, allow]);
  }
});
