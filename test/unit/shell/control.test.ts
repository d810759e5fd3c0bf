import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControlClient, ControlError, connect } from '../../../src/shell/client.ts';
import { CLIENTS_MAX, ControlServer, PENDING_PER_CLIENT_MAX } from '../../../src/shell/control.ts';
import { silentLog } from './fakes.ts';

let directory: string;
let path: string;
let server: ControlServer;
let commands: { request: number; actor: string; command: object }[];
let commanded: () => void;
let shutdowns: string[];
let changes: object[];
let view: () => unknown;
const sockets: { destroy(): void }[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sm-control-'));
  path = join(directory, 'run', 'sm.sock');
  commands = [];
  commanded = () => {};
  shutdowns = [];
  changes = [];
  const asked = (...words: (string | object)[]) => {
    for (const word of words) if (typeof word === 'object') changes.push(word);
    return { ok: true, code: '', message: words.join(' '), operation: '' };
  };
  view = () => ({ deadline: Number.POSITIVE_INFINITY, node: 'a' });
  server = new ControlServer(
    {
      view: async () => view(),
      command: (request, actor, command) => {
        commands.push({ request, actor, command });
        commanded();
      },
      shutdown: (actor) => shutdowns.push(actor),
      restart: async (actor, why) => asked('restart', actor, why),
      nodes: async (actor, why, change) => asked('nodes', actor, why, change),
    },
    silentLog,
  );
  await server.listen(path);
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function client(): Promise<ControlClient> {
  const connected = await connect(path);
  sockets.push({ destroy: () => connected.close() });
  return connected;
}

/** A raw connection: what is written, and the lines that come back. */
async function raw(): Promise<{ socket: Socket; line: () => Promise<string>; closed: Promise<void> }> {
  const socket = createConnection(path);
  sockets.push(socket);
  const lines: string[] = [];
  let wake = () => {};
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    const pieces = (rest + text).split('\n');
    rest = pieces.pop() ?? '';
    lines.push(...pieces);
    wake();
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  const line = async () => {
    while (lines.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return lines.shift() as string;
  };
  return { socket, line, closed };
}

describe('the control socket', () => {
  it('belongs to its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'run')).mode & 0o777).toBe(0o700);
  });

  it('answers ping and view; infinity survives the way', async () => {
    const c = await client();
    await expect(c.request('ping')).resolves.toEqual({ pid: process.pid });
    await expect(c.request('view')).resolves.toEqual({ deadline: Number.POSITIVE_INFINITY, node: 'a' });
  });

  it('hands a command over and answers with the reply of the engine', async () => {
    const c = await client();
    const posted = new Promise<void>((resolve) => {
      commanded = resolve;
    });
    const answer = c.request('command', {
      actor: 'root',
      command: { kind: 'swact', node: 'controller-0', why: 'maintenance' },
    });
    await posted;
    expect(commands).toEqual([
      {
        request: 1,
        actor: 'root',
        command: { kind: 'swact', node: 'controller-0', group: '', why: 'maintenance', forMs: 0 },
      },
    ]);
    const result = { ok: false, code: 'peer-locked', message: 'the peer is locked', operation: '' };
    server.answered(1, result);
    await expect(answer).resolves.toEqual(result);
    server.answered(1, result);
  });

  it('streams events to subscribers only', async () => {
    const c = await client();
    await c.request('subscribe');
    const event = new Promise((resolve) => {
      c.onEvent = resolve;
    });
    server.publish({ name: 'x' });
    await expect(event).resolves.toEqual({ name: 'x' });
  });

  it('hands a restart and a change of the nodes on, and answers with what came of it', async () => {
    const c = await client();
    expect(await c.request('restart', { actor: 'root', why: 'upgrade' })).toMatchObject({
      ok: true,
      message: 'restart root upgrade',
    });
    const links = [{ role: 'oam-interface', address: 'fd00::1', peerAddress: 'fd00::2' }];
    const add = { change: 'add', node: 'b', port: 2222, links };
    await c.request('nodes', { actor: 'root', ...add });
    expect(changes).toEqual([add]);
    await c.request('nodes', { actor: 'root', change: 'remove', node: 'b' });
    expect(changes[1]).toEqual({ change: 'remove', node: 'b', dead: false });
    for (const params of [
      { change: 'move', node: 'b' },
      { change: 'remove', node: 'b', dead: 'yes' },
      { change: 'remove' },
      { change: 'add', node: 'b' },
      { ...add, links: [{ ...links[0], role: 'eth0' }] },
      { ...add, links: [{ ...links[0], address: 7 }] },
      { ...add, port: 'x' },
      { ...add, why: 'a\nb' },
    ])
      await expect(c.request('nodes', params)).rejects.toMatchObject({ code: 'bad-parameters' });
    await expect(c.request('restart', { why: 7 })).rejects.toMatchObject({ code: 'bad-parameters' });
    expect(changes).toHaveLength(2);
  });

  it('takes a shutdown in', async () => {
    const c = await client();
    await c.request('shutdown', { actor: 'root' });
    expect(shutdowns).toEqual(['root']);
  });

  it('says internal when a view throws, and lives on', async () => {
    view = () => {
      throw new Error('broken');
    };
    const c = await client();
    await expect(c.request('view')).rejects.toMatchObject({ code: 'internal', message: 'broken' });
    await expect(c.request('ping')).resolves.toBeDefined();
  });
});

describe('bad input', () => {
  it.each([
    ['no JSON', 'hello', 'bad-request'],
    ['no object', '[1]', 'bad-request'],
    ['no id', '{"method":"ping"}', 'bad-request'],
    ['an id that is an object', '{"id":{},"method":"ping"}', 'bad-request'],
    ['an unknown method', '{"id":1,"method":"toString"}', 'unknown-method'],
    ['a method that is a list', '{"id":1,"method":["ping"]}', 'unknown-method'],
    ['params that are no object', '{"id":1,"method":"ping","params":3}', 'bad-parameters'],
    ['no command', '{"id":1,"method":"command"}', 'bad-parameters'],
    [
      'a group where all are meant',
      '{"id":1,"method":"command","params":{"command":{"kind":"lock","group":"web"}}}',
      'bad-parameters',
    ],
    [
      'a confirmation typed once',
      '{"id":1,"method":"command","params":{"command":{"kind":"confirm-dead","node":"a","why":"off"}}}',
      'bad-parameters',
    ],
    [
      'a confirmation of another name',
      '{"id":1,"method":"command","params":{"command":{"kind":"confirm-dead","node":"a","again":"b","why":"off"}}}',
      'bad-parameters',
    ],
    [
      'a confirmation without a reason',
      '{"id":1,"method":"command","params":{"command":{"kind":"confirm-dead","node":"a","again":"a","why":" "}}}',
      'bad-parameters',
    ],
    ['a foreign kind', '{"id":1,"method":"command","params":{"command":{"kind":"x"}}}', 'bad-parameters'],
    [
      'an unknown key',
      '{"id":1,"method":"command","params":{"command":{"kind":"lock","node":"a","force":true}}}',
      'bad-parameters',
    ],
    [
      'a service where a node belongs',
      '{"id":1,"method":"command","params":{"command":{"kind":"lock","service":"a"}}}',
      'bad-parameters',
    ],
    [
      'a name that is too long',
      `{"id":1,"method":"command","params":{"command":{"kind":"restart","service":"${'x'.repeat(32)}"}}}`,
      'bad-parameters',
    ],
    [
      'a negative time',
      '{"id":1,"method":"command","params":{"command":{"kind":"lock","node":"a","forMs":-1}}}',
      'bad-parameters',
    ],
    [
      'a line break in a reason',
      '{"id":1,"method":"command","params":{"command":{"kind":"lock","node":"a","why":"x\\ny"}}}',
      'bad-parameters',
    ],
    [
      'an actor of nothing',
      '{"id":1,"method":"command","params":{"actor":"","command":{"kind":"lock","node":"a"}}}',
      'bad-parameters',
    ],
  ])('%s is answered with its code', async (_name, line, code) => {
    const { socket, line: next } = await raw();
    socket.write(`${line}\n`);
    expect(JSON.parse(await next())).toMatchObject({ ok: false, error: { code } });
    socket.write('{"id":2,"method":"ping"}\n');
    expect(JSON.parse(await next())).toMatchObject({ id: 2, ok: true });
    expect(commands).toEqual([]);
  });

  it('a line without end is cut off with a reason, others are not disturbed', async () => {
    const other = await client();
    const { socket, line, closed } = await raw();
    socket.write('x'.repeat(70_000));
    expect(JSON.parse(await line())).toMatchObject({ error: { code: 'line-too-long' } });
    await closed;
    await expect(other.request('ping')).resolves.toBeDefined();
  });

  it('random bytes never raise anything', async () => {
    for (let i = 0; i < 20; i += 1) {
      const { socket, line } = await raw();
      socket.write(Buffer.concat([randomBytes(500), Buffer.from('\n')]));
      expect(JSON.parse(await line())).toMatchObject({ ok: false });
      socket.destroy();
    }
  });

  it('one client too many is told so', async () => {
    for (let i = 0; i < CLIENTS_MAX; i += 1) await (await client()).request('ping');
    const c = await connect(path);
    sockets.push({ destroy: () => c.close() });
    await expect(c.request('ping')).rejects.toMatchObject({ code: 'too-many-clients' });
  });

  it('too many waiting commands of one client are refused', async () => {
    const c = await client();
    const command = { kind: 'lock', node: 'a' };
    const waiting = Array.from({ length: PENDING_PER_CLIENT_MAX }, () => c.request('command', { command }));
    await expect(c.request('command', { command })).rejects.toMatchObject({ code: 'too-many-requests' });
    c.close();
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'closed' });
  });

  it('too many waiting views of one client are refused, and asked for of nobody', async () => {
    let asked = 0;
    let answer = (_view: object) => {};
    view = () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    const c = await client();
    const waiting = Array.from({ length: PENDING_PER_CLIENT_MAX }, () => c.request('view'));
    await expect(c.request('view')).rejects.toMatchObject({ code: 'too-many-requests' });
    expect(asked).toBe(PENDING_PER_CLIENT_MAX);
    answer({ node: 'a' });
    await expect(waiting.at(-1)).resolves.toEqual({ node: 'a' });
    view = () => ({ node: 'b' });
    await expect(c.request('view')).resolves.toEqual({ node: 'b' });
    c.close();
    for (const one of waiting.slice(0, -1)) await expect(one).rejects.toMatchObject({ code: 'closed' });
  });

  it('a client that does not read is dropped', async () => {
    const { socket, line, closed } = await raw();
    socket.write('{"id":1,"method":"subscribe"}\n');
    await line();
    socket.pause();
    const event = { text: 'x'.repeat(1_000_000) };
    for (let i = 0; i < 20 && server.clientsDropped === 0; i += 1) server.publish(event);
    expect(server.clientsDropped).toBe(1);
    socket.resume();
    await closed;
  });
});

it('a client is told when nobody listens', async () => {
  const refused = await connect(join(directory, 'none')).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ControlError);
  expect(refused).toMatchObject({ code: 'not-running' });
});
