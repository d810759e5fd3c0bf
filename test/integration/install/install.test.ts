/** The package: what it holds, and a life with it on fresh machines. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rackOptions } from '../../../src/lab/enter.ts';
import { PROJECT } from './fresh.ts';

const PACKAGE_BYTES_MAX = 50_000_000;
const LIMIT_MS = 280_000;
/** What test/integration/install/systemd.ts looks at. */
const SYSTEMD_NOTES = 18;

const options = process.getuid?.() === 0 ? rackOptions() : null;
const reason = 'installing needs root and namespaces, on fresh machines that are made of them';
if (options === null) console.info(`left out: ${reason}`);

const scratch = mkdtempSync(join(tmpdir(), 'sm-install-'));
let packageFile = '';
beforeAll(() => {
  const build = join(PROJECT, 'scripts', 'packaging', 'build-deb.sh');
  packageFile = execFileSync(build, [scratch], { encoding: 'utf8' }).trim();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

/** Runs a program of this folder in a rack of its own; returns its last line. */
function inRack(program: string): unknown {
  const directory = mkdtempSync(join(scratch, 'rack-'));
  const words = ['--import', 'tsx', join(import.meta.dirname, program), directory, packageFile];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [...(options ?? []), '--', process.execPath, ...words],
    {
      cwd: PROJECT,
      encoding: 'utf8',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    },
  );
  expect(status, `${stdout}\n${stderr}`).toBe(0);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

describe('the package', () => {
  test('has a sane size, and its addon works where nothing else of the project is', () => {
    expect(statSync(packageFile).size).toBeLessThan(PACKAGE_BYTES_MAX);
    const tree = join(scratch, 'tree');
    execFileSync('dpkg-deb', ['--extract', packageFile, tree]);
    const set = join(tree, 'usr/lib/sm/db/definitions/demo');
    const out = execFileSync(join(tree, 'usr/sbin/smctl'), ['check', set], { encoding: 'utf8', cwd: tree });
    expect(out).toMatch(/^groups 2$/m);
    expect(statSync(join(tree, 'etc/sm/keys.d')).mode & 0o777).toBe(0o700);
    expect(existsSync(join(tree, 'etc/sm/sm.yaml'))).toBe(false);
    for (const file of ['obj', 'obj.target', 'test_extension.node'])
      expect(existsSync(join(tree, 'usr/lib/sm/node_modules/better-sqlite3/build/Release', file))).toBe(
        false,
      );
  });

  const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
  test.runIf(analyze).each(['sm', 'sm-api'])('its unit of %s is one that systemd understands', (program) => {
    const tree = join(scratch, `unit-${program}`);
    execFileSync('dpkg-deb', ['--extract', packageFile, tree]);
    const unit = join(tree, `usr/lib/systemd/system/${program}.service`);
    // Its programs are not on this machine.
    const here = readFileSync(unit, 'utf8')
      .replace(`/usr/sbin/${program}`, join(tree, `usr/sbin/${program}`))
      .replace('/etc/init.d/sm', join(tree, 'etc/init.d/sm'));
    writeFileSync(unit, here);
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], {
      encoding: 'utf8',
    });
    expect(stderr.split('\n').filter((line) => line.includes(`${program}.service`))).toEqual([]);
    expect(status).toBe(0);
  });
});

test('make install overwrites no edited file, and make uninstall takes away exactly what it put there', () => {
  const root = join(scratch, 'root');
  const make = (target: string) =>
    spawnSync(
      'make',
      ['--no-print-directory', '-o', 'setup', target, `DESTDIR=${root}`, 'PREFIX=/usr/local'],
      {
        cwd: PROJECT,
        encoding: 'utf8',
      },
    );
  const found = () => execFileSync('find', [root], { encoding: 'utf8' }).trim().split('\n').sort();
  execFileSync('mkdir', [
    '-p',
    join(root, 'etc/init.d'),
    join(root, 'usr/local/sbin'),
    join(root, 'var/lib/sm'),
  ]);
  writeFileSync(join(root, 'usr/local/sbin/other'), '');
  const before = found();

  expect(make('install')).toMatchObject({ status: 0 });
  const example = join(root, 'etc/sm/sm.yaml.example');
  writeFileSync(example, '# mine\n');
  writeFileSync(join(root, 'etc/sm/sm.yaml'), 'node: a\n');
  const again = make('install');
  expect(again).toMatchObject({ status: 0 });
  expect(again.stderr).toContain('sm.yaml.example was edited and stays');
  expect(readFileSync(example, 'utf8')).toBe('# mine\n');
  expect(readFileSync(`${example}.new`, 'utf8')).toContain('#node:');

  expect(make('uninstall')).toMatchObject({ status: 0 });
  const left = found().filter((path) => !before.includes(path));
  expect(left.filter((path) => !path.startsWith(join(root, 'etc/sm')))).toEqual([]);
  expect(left).toContain(join(root, 'etc/sm/sm.yaml'));
  expect(before.filter((path) => !found().includes(path))).toEqual([]);
  expect(make('uninstall').stderr).toContain('nothing was installed');
});

describe('on fresh machines', () => {
  test.runIf(options !== null)('docs/OPERATING.md leads from two of them to a pair, and back', () => {
    const { blocks } = inRack('walk.ts') as { blocks: { section: string; shop: string }[] };
    const shopAfter = (section: string) =>
      blocks.filter((block) => block.section === section).map(({ shop }) => shop);
    const nodes = ['controller-0', 'controller-1'];
    expect(shopAfter('Installing')).toEqual(['-']);
    const [, start = ''] = shopAfter('Starting');
    expect(nodes).toContain(start);
    const [swact, lock] = shopAfter('Moving the groups');
    expect(swact).toBe(nodes.find((name) => name !== start));
    expect(lock).toBe('controller-0');
    const calm = [
      'Asking why',
      'Leaving a service alone',
      'Changing the key',
      'Upgrading',
      'One node and two',
    ];
    for (const section of calm)
      expect(
        shopAfter(section).every((shop) => shop === 'controller-0'),
        section,
      ).toBe(true);
    expect(shopAfter('Removing')).toEqual(['-']);
  });

  test.runIf(options !== null)(
    'smctl init and join make a pair by IPv6, link-local addresses included',
    () => {
      const links = ['cluster-host-interface', 'management-interface', 'oam-interface'];
      const { heard } = inRack('ipv6.ts') as { heard: string[][] };
      expect(heard.map((roles) => roles.sort())).toEqual([links, links]);
    },
  );

  test.runIf(options !== null)(
    'the init script has the codes of LSB, and systemd hears of all that it must know',
    () => {
      expect(inRack('supervised.ts')).toEqual([
        ['status', 3],
        ['start', 6],
        ['start', 0],
        ['start', 0],
        ['status', 0],
        ['force-reload', 0],
        ['restart', 0],
        ['dance', 2],
        ['status', 1],
        ['start', 0],
        ['the lock file of a dead sm is no hindrance', 0],
        ['stop', 0],
        ['stop', 0],
        ['status', 3],
        ['force-reload', 7],
        ['start', 6],
        ['the watchdog is the main process', 0],
        ['scripts do not know of systemd', 0],
        ['a new watchdog is the main process', 0],
        ['systemd gets a stand-in', 0],
        ['the stand-in after an orderly stop', 0],
        ['the stop was told', 0],
        ['status', 3],
      ]);
    },
  );

  const SYSTEMD = '/lib/systemd/systemd';
  const lacks = existsSync(SYSTEMD) ? null : `${SYSTEMD} is not installed here`;
  if (lacks !== null) console.info(`life under systemd is left out: ${lacks}`);
  test.runIf(options !== null && lacks === null)(
    'a real systemd starts, watches, reloads and stops the node',
    () => {
      const held = inRack('systemd.ts') as Record<string, boolean>;
      expect(Object.keys(held).length).toBe(SYSTEMD_NOTES);
      expect(Object.keys(held).filter((what) => !held[what])).toEqual([]);
    },
  );
});
