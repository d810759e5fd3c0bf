/** StarlingX's text messages: lines as its tools send them, hostile ones, and real datagrams on real sockets. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepSockets } from '../../src/api/compatibility/keep.ts';
import { acknowledgement, parseMessage } from '../../src/api/compatibility/messages.ts';
import { handle } from '../../src/api/compatibility/serve.ts';
import {
  CLIENT,
  NOTIFY,
  openSockets,
  SERVER,
  type SocketPorts,
} from '../../src/api/compatibility/sockets.ts';
import { ROOT } from '../tidy/project.ts';
import { type ApiFixture, makeApi } from './fixture.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await makeApi();
});
afterEach(() => api.close());

async function say(line: string | Buffer) {
  const sent: string[] = [];
  const refused: string[] = [];
  const { context } = api;
  await handle(Buffer.from(line), {
    context,
    send: (text) => void sent.push(text),
    refused: (reason) => void refused.push(reason),
  });
  return { sent, refused, commands: api.commands.splice(0).map(({ command }) => command) };
}

test.each([
  [
    '1,1,7,SET_NODE,mtce,controller-0,swact,unlocked,enabled,available',
    { kind: 'swact', node: 'controller-0', group: '', why: 'swact by mtce', forMs: 0 },
    ['1,1,7,SET_NODE_ACK,sm,controller-0,swact,unlocked,enabled,available'],
  ],
  [
    '1,1,8,SET_NODE,mtce,controller-1,lock,locked,disabled,online\0',
    { kind: 'lock', node: 'controller-1', group: '', why: 'lock by mtce', forMs: 0 },
    ['1,1,8,SET_NODE_ACK,sm,controller-1,lock,locked,disabled,online'],
  ],
  ['1,1,1,RESTART_SERVICE,sm-action,keystone', { kind: 'restart', service: 'keystone' }, []],
  ['1,1,1,RESTART_SERVICE,sm-action,keystone,', { kind: 'restart', service: 'keystone' }, []],
  ['1,1,1,RESTART_SERVICE,sm-action,keystone,skip-dep', { kind: 'restart-safe', service: 'keystone' }, []],
  ['1,1,SERVICE_EVENT,drbd,keystone,sync-end,\n', { kind: 'audit', service: 'keystone' }, []],
  ['1,1,4,SERVICE_EVENT,drbd,keystone,sync-start,', { kind: 'audit', service: 'keystone' }, []],
])('%j is done', async (line, command, answers) => {
  const { sent, refused, commands } = await say(line);
  expect([refused, commands, sent]).toEqual([[], [expect.objectContaining(command)], answers]);
  expect(api.records.at(-1)).toMatchObject({ who: 'compatibility socket', status: 200 });
});

test.each([
  ['1,1,7,SET_NODE,mtce,controller-0,swact-force,event,unlocked,enabled,available', 'too many fields'],
  ['1,1,7,SET_NODE,mtce,controller-9,swact,unlocked,enabled,available', 'There is no node'],
  ['1,1,7,SET_NODE,mtce,controller-0,lock-force,unlocked,enabled,available', 'it must be one of'],
  ['1,1,7,SET_NODE,mtce,../etc,swact,unlocked,enabled,available', 'no name that a node can have'],
  ['2,1,7,SET_NODE,mtce,controller-0,swact,unlocked,enabled,available', 'its version is not 1'],
  ['1,1,7,SET_NODE,mtce,controller-0,sw act,unlocked,enabled,available', 'one of its words is none'],
  ['1,1,1,RESTART_SERVICE,sm-action,keystone,now', 'skip-dep'],
  ['1,1,1,PROVISION_SERVICE,sm-action,keystone,web', 'taken up|takes them up'],
  ['1,1,1,RELOAD_DATA', 'not known'],
  ['1,1,1,constructor,a,b', 'not known'],
  ['1,1,x,SET_NODE,mtce,controller-0,swact,,,', 'number is none'],
  [`1,1,1,RESTART_SERVICE,a,${'x'.repeat(3000)}`, 'more than 2048 bytes'],
  [Buffer.from([0x31, 0x2c, 0xff]), 'not plain text'],
  ['', 'its version is not 1'],
])('%j is refused, and nothing is done in part', async (line, reason) => {
  const { sent, refused, commands } = await say(line);
  expect([commands, sent]).toEqual([[], []]);
  expect(refused).toEqual([expect.stringMatching(reason)]);
});

test('a refusal of sm is not acknowledged', async () => {
  api.answer = { ok: false, code: 'refused', message: 'controller-1 is locked', operation: '' };
  const { sent, refused } = await say('1,1,7,SET_NODE,mtce,controller-0,swact,unlocked,enabled,available');
  expect([sent, refused]).toEqual([[], ['controller-1 is locked']]);
});

test('whatever bytes come, they are a message or a refusal; what is acknowledged can not hold a comma', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '1',
      '7',
      'SET_NODE',
      'mtce',
      'controller-0',
      'swact',
      '',
      'SERVICE_EVENT',
      ',',
      '\0',
      '\n',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const parsed = parseMessage(Buffer.from(pieces.join(',')));
      if (!parsed.ok) expect(parsed.fault.length).toBeGreaterThan(5);
      else if (parsed.message.kind === 'set-node')
        expect(acknowledgement(parsed.message).split(',')).toHaveLength(10);
    }),
    { numRuns: 500 },
  );
});

/** A datagram, and the answer to it if one is waited for; as StarlingX's programs do it. */
const CLIENT_PROGRAM = `
use Socket; my ($to, $text, $mine) = @ARGV;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; 
if ($mine) { unlink $mine; bind($s, sockaddr_un($mine)) or die "$!" }
send($s, $text, 0, sockaddr_un($to)) or die "$!";
if ($mine) { alarm 10; recv($s, my $answer, 4096, 0); print $answer; unlink $mine }
`;

test('real datagrams come in, and an answer goes out', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sm-compatibility-'));
  const received: string[] = [];
  let ended = '';
  const waiting: (() => void)[] = [];
  const sockets = await openSockets({
    directory,
    received: (bytes) => {
      received.push(bytes.toString('latin1'));
      if (bytes.includes('SET_NODE')) sockets.send('1,1,7,SET_NODE_ACK,sm');
      for (const wake of waiting.splice(0)) wake();
    },
    ended: (reason) => {
      ended = reason;
    },
  });
  const path = (name: string) => join(directory, name);
  for (const name of [SERVER, NOTIFY]) expect(statSync(path(name)).mode & 0o777).toBe(0o600);
  const client = spawn('perl', ['-e', CLIENT_PROGRAM, path(SERVER), '1,1,7,SET_NODE', path(CLIENT)]);
  let answer = '';
  client.stdout.on('data', (piece) => {
    answer += String(piece);
  });
  await new Promise((resolve) => client.once('close', resolve));
  expect(answer).toBe('1,1,7,SET_NODE_ACK,sm');
  const came = new Promise<void>((resolve) => waiting.push(resolve));
  execFileSync('perl', ['-e', CLIENT_PROGRAM, path(NOTIFY), '1,1,SERVICE_EVENT,drbd,a,sync-end,']);
  await came;
  expect(received).toEqual(['1,1,7,SET_NODE', '1,1,SERVICE_EVENT,drbd,a,sync-end,']);
  sockets.close();
  while (existsSync(path(SERVER))) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(ended).toBe('');
  writeFileSync(path(SERVER), 'no socket');
  await expect(openSockets({ directory, received: () => {}, ended: () => {} })).rejects.toThrow(
    'is no socket',
  );
  rmSync(directory, { recursive: true });
});

test('sockets that end are opened again, ever more slowly while they do not last', async () => {
  vi.useFakeTimers();
  try {
    const pauses: number[] = [];
    let last = {} as SocketPorts;
    let faults = 3;
    const sent: string[] = [];
    const open = async (ports: SocketPorts) => {
      if (faults-- > 0) throw new Error('perl can not be started');
      last = ports;
      return { send: (text: string) => void sent.push(text), close: () => void sent.push('closed') };
    };
    const opened = vi.fn();
    const sockets = await keepSockets(
      {
        directory: '/nowhere',
        received: () => {},
        opened,
        lost: (_reason, pauseMs) => pauses.push(pauseMs),
        now: () => vi.getMockedSystemTime()?.valueOf() ?? 0,
      },
      open,
    );
    sockets.send('to nobody');
    await vi.advanceTimersByTimeAsync(200 + 400 + 800);
    expect([pauses, opened.mock.calls.length]).toEqual([[200, 400, 800], 1]);
    last.ended('killed');
    await vi.advanceTimersByTimeAsync(1600 + 60_000);
    last.ended('killed after a minute');
    expect(pauses).toEqual([200, 400, 800, 1600, 200]);
    await vi.advanceTimersByTimeAsync(200);
    sockets.send('hello');
    faults = 20;
    last.ended('killed');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(Math.max(...pauses)).toBe(60_000);
    faults = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    sockets.close();
    last.ended('closed');
    await vi.advanceTimersByTimeAsync(600_000);
    expect(sent).toEqual(['hello', 'closed']);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

/** The perl of these sockets. */
function relay(directory: string): number {
  const mine = readdirSync('/proc').find((pid) => {
    if (!/^[0-9]+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join(directory, SERVER));
    } catch {
      return false;
    }
  });
  return Number(mine);
}

test('a killed perl is replaced, and messages come in again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sm-compatibility-'));
  let wake = () => {};
  const next = () => new Promise<void>((resolve) => (wake = resolve));
  const received: string[] = [];
  const lost: string[] = [];
  const sockets = await keepSockets({
    directory,
    opened: () => wake(),
    received: (bytes) => {
      received.push(bytes.toString('latin1'));
      wake();
    },
    lost: (reason) => lost.push(reason),
    now: () => performance.now(),
  });
  const back = next();
  process.kill(relay(directory), 'SIGKILL');
  await back;
  const came = next();
  execFileSync('perl', ['-e', CLIENT_PROGRAM, join(directory, SERVER), 'hello']);
  await came;
  sockets.close();
  expect([received, lost]).toEqual([['hello'], ['perl was ended by SIGKILL']]);
  while (existsSync(join(directory, SERVER))) await new Promise((resolve) => setTimeout(resolve, 5));
  rmSync(directory, { recursive: true });
});

/** What stands for the words of the page. */
const WORDS: Readonly<Record<string, string>> = {
  N: '7',
  ORIGIN: 'mtce',
  NODE: 'controller-0',
  ACTION: 'swact',
  ADMIN: 'unlocked',
  OPER: 'enabled',
  AVAIL: 'available',
  SERVICE: 'keystone',
  EVENT: 'sync-start',
};

test('each message of docs/reference/compatibility-sockets.md is taken, and answered as it says', async () => {
  const page = readFileSync(join(ROOT, 'docs/reference/compatibility-sockets.md'), 'utf8');
  const filled = (text: string) => text.replace(/\b[A-Z]+\b/g, (word) => WORDS[word] ?? word);
  const lines = [...page.matchAll(/`(1,1,[^`]+)`/g)].map(([, text = '']) => filled(text));
  const acknowledged = lines.pop();
  expect(lines).toHaveLength(3);
  expect(page).toContain('`,skip-dep`');
  for (const line of [...lines, `${lines[1]},skip-dep`, lines[2]?.replace('7,', '') ?? '']) {
    const { sent, refused, commands } = await say(line);
    expect([refused, commands.length], line).toEqual([[], 1]);
    expect(sent, line).toEqual(line.includes('SET_NODE') ? [acknowledged] : []);
  }
});
