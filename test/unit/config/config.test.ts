import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { configurationReference } from '../../../scripts/configuration-reference.ts';
import { loadConfig, parseConfig } from '../../../src/shell/config.ts';
import { ConfigFile, type KeyNotes } from '../../../src/shell/config-schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'sm-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function faultsOf(text: string, host = 'controller-0'): readonly string[] {
  const parsed = parseConfig(text, host);
  return parsed.ok ? [] : parsed.faults;
}

test.each([
  ['- *a'],
  ['{'.repeat(101)],
  ['# '.repeat(40_000)],
])('%.20s is no configuration, and is said to be none', (text) => {
  const parsed = parseConfig(text, 'host');
  expect(parsed.ok ? '' : parsed.faults.join()).toMatch(/Unresolved alias|opening brackets/);
});

describe('good files', () => {
  test.each(['', '# nothing\n', '---\n', '{}'])('%j has all defaults', (text) => {
    const parsed = parseConfig(text, 'controller-0.example.org');
    expect(parsed).toEqual({
      ok: true,
      value: {
        node: 'controller-0',
        database: '/var/lib/sm/sm.db',
        runtimeDatabaseLink: '/var/run/sm/sm.db',
        definitions: null,
        keysDirectory: '/etc/sm/keys.d',
        secretsDirectory: '/etc/sm/secrets.d',
        runDirectory: '/run/sm',
        controlSocket: '/run/sm/control.sock',
        lsbDirectory: '/etc/init.d',
        ocfRoot: '/usr/lib/ocf',
        goEnabledDirectory: '/etc/sm/goenabled.d',
        notifications: { directory: '/etc/sm/notify.d', limitMs: 10_000, barrier: [] },
        api: {
          address: '127.0.0.1',
          port: 7777,
          tls: null,
          tokensFile: '/etc/sm/tokens',
          auditFile: '/var/log/sm/audit.log',
          keystone: null,
          compatibility: null,
        },
        log: { level: 'info', file: null },
        trace: { directory: '/var/lib/sm/trace', bytesMax: 67_108_864 },
        selfFence: 'processes',
        watchdogDevice: null,
        containment: 'auto',
        kernelLifeFile: '/proc/sys/kernel/random/boot_id',
        productUuidFile: '/sys/class/dmi/id/product_uuid',
        virtualMachine: 'auto',
        realtime: 'yes',
      },
    });
  });

  test('every key can be set', () => {
    const text = `
node: a
database: /d
runtimeDatabaseLink: /l
definitions: /s
keysDirectory: /k
secretsDirectory: /s
runDirectory: /r
controlSocket: /c
lsbDirectory: /i
ocfRoot: /o
goEnabledDirectory: /g
notifications:
  directory: /n
  limitMs: 500
  barrier: web  oam
api:
  address: "fd00::1"
  port: 1
  tls: { certificate: /c.pem, key: /k.pem, clientCa: /ca.pem }
  tokensFile: /t
  auditFile: /a
  keystone: https://k:5000/v3
log:
  level: trace
  file: /f
selfFence: sysrq
watchdogDevice: /w
trace:
  directory: /h
  bytesMax: 0
containment: marker
kernelLifeFile: /b
productUuidFile: /u
virtualMachine: no
realtime: no
`;
    expect(parseConfig(text)).toEqual({
      ok: true,
      value: {
        node: 'a',
        database: '/d',
        runtimeDatabaseLink: '/l',
        definitions: '/s',
        keysDirectory: '/k',
        secretsDirectory: '/s',
        runDirectory: '/r',
        controlSocket: '/c',
        lsbDirectory: '/i',
        ocfRoot: '/o',
        goEnabledDirectory: '/g',
        notifications: { directory: '/n', limitMs: 500, barrier: ['web', 'oam'] },
        api: {
          address: 'fd00::1',
          port: 1,
          tls: { certificate: '/c.pem', key: '/k.pem', clientCa: '/ca.pem' },
          tokensFile: '/t',
          auditFile: '/a',
          keystone: 'https://k:5000/v3',
          compatibility: null,
        },
        log: { level: 'trace', file: '/f' },
        selfFence: 'sysrq',
        watchdogDevice: '/w',
        trace: { directory: '/h', bytesMax: 0 },
        containment: 'marker',
        kernelLifeFile: '/b',
        productUuidFile: '/u',
        virtualMachine: 'no',
        realtime: 'no',
      },
    });
  });

  test('the control socket follows the run directory', () => {
    const parsed = parseConfig('runDirectory: /tmp/x', 'a');
    expect(parsed.ok && parsed.value.controlSocket).toBe('/tmp/x/control.sock');
  });
});

describe('faults are told with their place and what is allowed', () => {
  test.each([
    ['node: a\ndatabse: /x\n', /^line 2, column 1: unknown key 'databse', allowed are node, database, /],
    ['log:\n  levle: info\n', /^line 2, column 3: unknown key 'log.levle', allowed are level, file$/],
    [
      'log:\n  level: loud\n',
      /^line 2, column 10: 'log.level' must be one of: trace, debug, info, warn, error$/,
    ],
    ['log: info\n', /^line 1, column 6: 'log' must be a mapping with the keys level and file$/],
    ['database: sm.db\n', /^line 1, column 11: 'database' must be an absolute path$/],
    ['database:\n', /^line 1, column 10: 'database' must be an absolute path$/],
    ['node: -a\n', /^line 1, column 7: 'node' must be a name of at most 31/],
    [`node: ${'a'.repeat(32)}\n`, /'node' must be a name of at most 31/],
    ['node: 7\n', /'node' must be a name/],
    ['api: { port: 0 }\n', /^line 1, column 14: 'api.port' must be a whole number from 1 to 65535$/],
    ['api: { keystone: "ftp://k" }\n', /'api.keystone' must be an address like/],
    ['api: { tls: { key: /k.pem } }\n', /'api.tls' must be a mapping with the keys certificate and key/],
    ['api: { port: "7777" }\n', /'api.port' must be a whole number/],
    ['api: { address: localhost }\n', /^line 1, column 17: 'api.address' must be an IPv4 or IPv6 address$/],
    ['selfFence: kill\n', /'selfFence' must be one of: processes, reboot, sysrq$/],
    ['realtime: true\n', /'realtime' must be one of: yes, no$/],
    ['- a\n', /^line 1, column 1: the file must be a mapping of keys to values$/],
    ['node: a\nnode: b\n', /^line 2, column 1: .*unique/],
    ['node: "a\n', /^line \d+, column \d+: /],
    [`runDirectory: /${'x'.repeat(100)}\n`, /'controlSocket' is longer than 107 bytes/],
  ])('%j', (text, fault) => {
    const faults = faultsOf(text);
    expect(faults[0]).toMatch(fault);
    expect(faults).toHaveLength(1);
  });

  test('all of them at once', () => {
    expect(faultsOf('nodes: a\nrealtime: maybe\nlog: { level: x, colour: y }\n')).toHaveLength(4);
  });

  test('a host name that can be no node name', () => {
    expect(faultsOf('', `${'long'.repeat(10)}.example.org`)[0]).toMatch(/set the key 'node'/);
    expect(faultsOf('node: short', 'long'.repeat(10))).toEqual([]);
  });
});

test('a file is loaded, or refused with a code', () => {
  const path = join(directory, 'sm.yaml');
  expect(loadConfig(path)).toMatchObject({ ok: false, error: { code: 'SM_CONFIG_UNREADABLE' } });
  writeFileSync(path, 'node: one\nxyz: 1\nlog: 3\n');
  const refused = loadConfig(path);
  expect(refused).toMatchObject({ ok: false, error: { code: 'SM_CONFIG_INVALID' } });
  if (!refused.ok) {
    expect(refused.error.message).toContain(path);
    expect(refused.error.message).toContain("line 2, column 1: unknown key 'xyz'");
    expect(refused.error.message).toContain("line 3, column 6: 'log'");
  }
  writeFileSync(path, 'node: one\n');
  expect(loadConfig(path)).toMatchObject({ ok: true, value: { node: 'one' } });
});

test('every key is documented, and the reference is up to date', async () => {
  const documented = (properties: object): boolean =>
    Object.values(properties).every((schema: KeyNotes & { properties?: object }) => {
      if (schema.properties !== undefined) return documented(schema.properties);
      return [schema.description, schema.rule, schema.fallback, schema.change].every(
        (text) => text.length > 0,
      );
    });
  expect(documented(ConfigFile.properties)).toBe(true);
  await expect(configurationReference()).toMatchFileSnapshot('../../../docs/reference/configuration.md');
});
