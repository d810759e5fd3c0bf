import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Context } from '../../src/cli/command.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { failure } from '../../src/core/kernel/errors.ts';
import { Secrets } from '../../src/shell/support/secrets.ts';
import { ROOT } from '../tidy/project.ts';
import { type Fixture, lastJson, makeFixture, type Printed, run, settingsOf } from './fixture.ts';

const SECRET = 'hunter2-Geheim/42';
const root = mkdtempSync(join(tmpdir(), 'sm-collect-'));
afterAll(() => rmSync(root, { recursive: true }));

let fixture: Fixture;
let out: string;
let count = 0;
beforeEach(() => {
  fixture = makeFixture();
  count += 1;
  mkdirSync(join(root, String(count)));
  out = join(root, String(count), 'bundle.tar.gz');
});
afterEach(() => fixture.remove());

const collect = (change: Partial<Context> = {}, ...words: string[]): Promise<Printed> =>
  run(SMCTL, ['collect', '--out', out, ...words], fixture, change);

function unpacked(): string {
  const directory = join(root, String(count), 'unpacked');
  mkdirSync(directory);
  execFileSync('tar', ['--extract', '--gzip', '--file', out, '--directory', directory]);
  return join(directory, 'bundle');
}

interface Manifest {
  readonly node: string;
  readonly files: readonly { path: string; bytes: number; sha256: string; source: string; note: string }[];
  readonly missing: readonly { source: string; reason: string }[];
}

function manifestOf(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as Manifest;
}

/** Every place in which a secret may stand. */
function plant(): void {
  const at = (...names: string[]): string => join(fixture.directory, ...names);
  for (const name of ['keys.d', 'run', 'run/output']) mkdirSync(at(name));
  writeFileSync(at('keys.d', 'cluster'), SECRET, { mode: 0o600 });
  writeFileSync(at('join-b.json'), JSON.stringify({ key: SECRET }), { mode: 0o600 });
  writeFileSync(
    at('sm.yaml'),
    `node: controller-0\nunknown:\n  password: |\n    ${SECRET}\n# token: ${SECRET}\n`,
  );
  writeFileSync(
    at('sm.log'),
    `{"msg":"start","reason":"login with password=${SECRET} failed"}\n${SECRET} alone\n`,
  );
  mkdirSync(at('trace'));
  writeFileSync(at('trace', '000001-000001.trace'), `["${SECRET}"]\n["a key: is none"]\n`);
  writeFileSync(at('trace', '000001-000002.trace.gz'), gzipSync(`["packed"]\n`));
  writeFileSync(
    at('run', 'output', 'postgres.enable'),
    `psql postgresql://admin:${SECRET}@host/x\n--auth-token ${SECRET}\n`,
  );
  fixture.sql(`
    INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS)
      VALUES ('postgres', 'postgres', 'dbname=x,password=${SECRET}');
    INSERT INTO SERVICE_ACTIONS (SERVICE_NAME, ACTION, PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND, PLUGIN_PARAMETERS,
      TIMEOUT_IN_SECS) VALUES ('postgres', 'enable', 'lsb-script', 'pg', 'start', 'api_key=${SECRET}', 20);
    INSERT INTO CONFIGURATION (KEY, VALUE) VALUES ('SNMP_COMMUNITY', '${SECRET}');
    INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON) VALUES
      (1799999999000, 'service', 'postgres', 'enabling', 'disabling', 'enable-failed', 'engine', 'start said: ${SECRET}');
    INSERT INTO SM_QUARANTINE (STAGE, TABLE_NAME, ROW_KEY, PROBLEM, CONTENT, WALL_MS) VALUES
      ('seed', 'SERVICE_INSTANCES', 'x', 'bad', '{"INSTANCE_PARAMETERS":"password=${SECRET},a=b"}', 0);
    INSERT INTO SM_ALARMS (ALARM, ENTITY, SEVERITY, REASON, REPAIR) VALUES ('x', 'y', 'minor', 'secret: ${SECRET}', '');`);
}

const planted = (): Partial<Context> => {
  const log = { level: 'info', file: join(fixture.directory, 'sm.log') } as const;
  return { settings: () => ({ ok: true, value: { ...settingsOf(fixture), log } }) };
};

describe('a bundle', () => {
  test("is made while sm is away, is its owner's alone, and every file has its sum", async () => {
    const printed = await collect();
    expect(printed.exit).toBe(0);
    expect(printed.err.split('\n')).toContain('kernel and networks ...');
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(root, String(count)))).toEqual(['bundle.tar.gz']);
    const directory = unpacked();
    const { files, node, missing } = manifestOf(directory);
    expect(node).toBe('controller-0');
    for (const { path, bytes, sha256 } of files) {
      const content = readFileSync(join(directory, path));
      expect([path, content.length]).toEqual([path, bytes]);
      expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
    }
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'sm/status.txt',
        'sm/dump.txt',
        'sm/history.json',
        'sm/events.json',
        'explain/service-postgres.txt',
        'database/SERVICES.jsonl',
        'files/modes.txt',
        'system/proc/loadavg',
        'system/versions.yaml',
      ]),
    );
    expect(files.find(({ path }) => path === 'sm/status.txt')?.note).toBe('exit code 4');
    expect(missing.map(({ source }) => source)).toContain('the view of sm');
    expect(readFileSync(join(directory, 'sm/dump.txt'), 'utf8')).toContain('postgres');
  });

  test('holds no secret, wherever it stood', async () => {
    plant();
    expect((await collect(planted())).exit).toBe(0);
    const directory = unpacked();
    const { files } = manifestOf(directory);
    for (const { path } of [...files, { path: 'manifest.json' }]) {
      const text = readFileSync(join(directory, path), 'utf8');
      for (const form of [
        SECRET,
        encodeURIComponent(SECRET),
        Buffer.from(SECRET).toString('base64').slice(0, 20),
      ])
        expect([path, text.includes(form)]).toEqual([path, false]);
    }
    // What is no secret is there still, and the places in which the secrets stood.
    const read = (path: string): string => readFileSync(join(directory, path), 'utf8');
    expect(read('database/SERVICE_INSTANCES.jsonl')).toContain('dbname=x,password=[secret]');
    expect(read('scripts/postgres.enable.txt')).toContain('postgresql://admin:[secret]@host/x');
    expect(read('logs/sm.log')).toContain('[secret] alone');
    expect(read('sm/events.json')).toContain('start said: [secret]');
    expect(read('trace/000001-000001.trace')).toBe('["[secret]"]\n["a key: is none"]\n');
    expect(read('trace/000001-000002.trace')).toBe('["packed"]\n');
    expect(read('files/modes.txt')).toMatch(/- 0600 \d+:\d+ \d+ \S+ .*keys\.d\/cluster/);
    for (const line of read('database/SM_QUARANTINE.jsonl').trim().split('\n')) JSON.parse(line);
  });

  test('goes without what can not be read: a corrupt database, a configuration with faults', async () => {
    writeFileSync(fixture.database, 'no database at all'.repeat(100));
    const broken: Partial<Context> = {
      settings: (config) =>
        config === '/dev/null'
          ? (planted().settings?.(null) ?? failure('SM_CONFIG_INVALID', { path: 'x', detail: 'y' }))
          : failure('SM_CONFIG_INVALID', { path: 'sm.yaml', detail: 'line 1' }),
    };
    const printed = await collect(broken, '--json');
    expect(printed.exit).toBe(0);
    const { missing } = manifestOf(unpacked());
    expect(lastJson(printed.out)).toMatchObject({ ok: true, path: out, missing });
    expect(missing).toContainEqual({ source: fixture.database, reason: 'file is not a database' });
    expect(missing.find(({ source }) => source === 'configuration')?.reason).toContain('Correct: line 1');
  });

  test('is not made over a file, nor half where it can not be written', async () => {
    writeFileSync(out, 'mine');
    expect(await collect()).toMatchObject({
      exit: 5,
      err: `${out} exists already, and nothing was changed. Name another file with --out.\n`,
    });
    expect(readFileSync(out, 'utf8')).toBe('mine');
    out = '/proc/no-such-place/bundle.tar.gz';
    const nowhere = await collect();
    expect(nowhere.exit).toBe(1);
    expect(nowhere.err).toContain('Nothing of it was left behind');
  });

  test('a disk that becomes full leaves nothing behind', () => {
    // A limit on the size of files stands for it: writing fails in the middle of one.
    const directory = join(root, String(count));
    const script = `
      import { Bundle } from './src/shell/support/bundle.ts';
      const bundle = new Bundle(${JSON.stringify(out)});
      try { bundle.add('big', 'x'.repeat(200000), 'test'); } catch (error) { console.log(error.coded.code); }`;
    const limited = `ulimit -f 100; exec "$0" --import tsx --input-type=module -e "$1"`;
    const said = execFileSync('sh', ['-c', limited, process.execPath, script], {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, TSX_DISABLE_CACHE: '1' },
    });
    expect(said.trim()).toBe('SM_COLLECT_WRITE');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a machine without tar is told so, and nothing is left behind', async () => {
    vi.stubEnv('PATH', '/nowhere');
    const printed = await collect();
    vi.unstubAllEnvs();
    expect(printed.exit).toBe(1);
    expect(printed.err).toContain('tar could not be run');
    expect(readdirSync(join(root, String(count)))).toEqual([]);
  });

  test('is refused with what is allowed', async () => {
    expect(await collect({}, '--since', 'yesterday')).toMatchObject({ exit: 2 });
    expect(existsSync(out)).toBe(false);
  });
});

describe('secrets', () => {
  test.each([
    ['password=abc', 'password=[secret]'],
    ['{"db_password":"a b","user":"x"}', '{"db_password":"[secret]","user":"x"}'],
    ['{"msg":"{\\"token\\":\\"abc\\"}"}', '{"msg":"{\\"token\\":\\"[secret]\\"}"}'],
    ['msg: set password=abc now', 'msg: set password=[secret] now'],
    ["adminPassword: 'a b'", "adminPassword: '[secret]'"],
    ['curl --api-key abc -v', 'curl --api-key [secret] -v'],
    ['Authorization: Bearer abcdefgh12345', 'Authorization: [secret]'],
    ['{"msg":"sent Authorization: Token abc","n":1}', '{"msg":"sent Authorization: [secret]","n":1}'],
    ['Authorization: Digest username="a", response="0f1e"\nx', 'Authorization: [secret]\nx'],
    ['Set-Cookie: sid=abc; Path=/', 'Set-Cookie: [secret]'],
    ['{"token":{"id":"abc"},"n":1}', '{"token":"[secret]","n":1}'],
    ['{"msg":"{\\"token\\":{\\"id\\":\\"abc\\"}}"}', '{"msg":"{\\"token\\":\\"[secret]\\"}"}'],
    ['ip=10.0.0.1,bindpw=abc,psk=def', 'ip=10.0.0.1,bindpw=[secret],psk=[secret]'],
    ['+ curl -u admin:abc https://h', '+ curl -u admin:[secret] https://h'],
    ['+ sshpass -p abc ssh h', '+ sshpass -p [secret] ssh h'],
    ['+ mysql -h db -pabc shop', '+ mysql -h db -p[secret] shop'],
    ['postgres://me:a@bc@host/x', 'postgres://me:[secret]@host/x'],
    ['https://me:abc@host/x', 'https://me:[secret]@host/x'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nx', '[secret]\nx'],
    [
      'the key id is 4f2a; keysDirectory: /etc/sm/keys.d',
      'the key id is 4f2a; keysDirectory: /etc/sm/keys.d',
    ],
    ['key_id=4f2a compass 12:30', 'key_id=4f2a compass 12:30'],
  ])('%s', (text, expected) => {
    expect(new Secrets().clean(text)).toBe(expected);
  });

  test('a value of a list may hold commas, and is taken out as a whole', () => {
    const secrets = new Secrets();
    secrets.learn('ip=10.0.0.1,password=hunter1,rest,user=x,api_key=abcdef==');
    expect(secrets.clean('said hunter1,rest and abcdef== of 10.0.0.1')).toBe(
      'said [secret] and [secret] of 10.0.0.1',
    );
  });

  test('known values go wherever and however they stand', () => {
    const secrets = new Secrets();
    secrets.add('a"b+c/d?');
    secrets.add('short');
    expect(secrets.clean('x a"b+c/d? y a\\"b+c/d? z a%22b%2Bc%2Fd%3F short')).toBe(
      'x [secret] y [secret] z [secret] short',
    );
  });
});
