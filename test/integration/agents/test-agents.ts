/**
 * `make test-agents`: ocf-tester for every agent of this repository, and the package resource-agents' own cases for its agents,
 * with what they drive: databases, servers, firewalls. It is installed in a copy of this machine's files that ends with the
 * test; only what apt has fetched stays, in build/agents. What happens is told on stderr; the one line of stdout is JSON.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OCFT, Ocft } from '../../support/ocft.ts';
import { CASES } from './cases.ts';
import { CONTAINER_PACKAGES, CONTAINERS } from './containers.ts';

const PROJECT = join(import.meta.dirname, '../../..');
const LIMIT_MS = 900_000;
const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc'];
/** What the cases of Filesystem have in a loop device: the kernel keeps it when they are killed. */
const LOOP_FILE = 'resource-agents/ocft-Filesystem-fs';

type Figures = Record<string, number | string>;

const started = performance.now();

function conclude(figures: Figures, code: number): never {
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(JSON.stringify({ ...figures, seconds }));
  process.exit(code);
}

function missing(): string | null {
  if (process.getuid?.() !== 0)
    return 'it needs root: packages are installed, addresses, mounts and daemons made';
  if (!existsSync(OCFT)) return 'resource-agents is missing: make setup, or apt-get install resource-agents';
  return spawnSync('apt-get', ['--version']).status === 0
    ? null
    : 'it needs apt-get: Debian or a relative of it';
}

/** Every agent has to have been tried, and passed each time. */
function testOurs(): { readonly agents: number; readonly failed: number } {
  const { stdout, stderr } = spawnSync(join(PROJECT, 'scripts/test/ocf-tester.sh'), { encoding: 'utf8' });
  process.stderr.write(`${stdout}${stderr}`);
  const agents = readdirSync(join(PROJECT, 'ocf')).filter((file) => !file.includes('.'));
  const passed = agents.filter(
    (agent) =>
      stdout.includes(`ocf-tester ${agent} (`) &&
      !new RegExp(`^ocf-tester ${agent} .*FAILED$`, 'm').test(stdout),
  );
  return { agents: agents.length, failed: agents.length - passed.length };
}

function releaseLoops(): void {
  for (const device of readdirSync('/sys/block')) {
    const file = join('/sys/block', device, 'loop/backing_file');
    if (existsSync(file) && readFileSync(file, 'utf8').includes(LOOP_FILE))
      spawnSync('losetup', ['--detach', join('/dev', device)]);
  }
}

/** What the cases answered on stdout, and how they ended. */
async function testTheirs(files: readonly string[]): Promise<[stdout: string, code: number | null]> {
  const packages = Object.entries(CASES)
    .filter(([file]) => files.length === 0 || files.includes(file))
    .flatMap(([file, cases]) => [...new Ocft(file, async () => '').packages, ...(cases.packages ?? [])]);
  if (files.length === 0 || files.includes(CONTAINERS)) packages.push(...CONTAINER_PACKAGES);
  const archives = join(PROJECT, 'build', 'agents');
  mkdirSync(archives, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'sm-agents-'));
  const names = [...new Set(packages)].sort();
  console.error(`installing in memory: ${names.join(' ')}`);
  const program = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'with-packages.ts')];
  const machine = spawn(
    'unshare',
    [
      ...NAMESPACES,
      join(import.meta.dirname, 'in-memory'),
      scratch,
      archives,
      ...names,
      '--',
      ...program,
      ...files,
    ],
    { cwd: PROJECT, stdio: ['ignore', 'pipe', 'inherit'], timeout: LIMIT_MS, killSignal: 'SIGKILL' },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => machine.kill('SIGKILL'));
  let stdout = '';
  machine.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code] = (await once(machine, 'close')) as [number | null];
  if (code === null) releaseLoops();
  rmdirSync(scratch);
  return [stdout, code];
}

const reason = missing();
if (reason !== null) conclude({ failed: 1, reason }, 1);
const only = (process.env.ONLY ?? '').split(/[ ,]+/).filter((word) => word !== '');
const unknown = only.find((file) => CASES[file] === undefined && file !== CONTAINERS);
if (unknown !== undefined)
  conclude(
    {
      failed: 1,
      reason: `ONLY: there are no cases ${unknown}, but ${[...Object.keys(CASES), CONTAINERS].join(' ')}`,
    },
    1,
  );
const ours = testOurs();
const [stdout, code] = await testTheirs(only);
const line = stdout.trim().split('\n').at(-1) ?? '';
const own = { ocf_tester: ours.agents };
if (line.startsWith('{')) {
  const theirs = JSON.parse(line) as Record<string, number>;
  const failed = theirs.failed! + ours.failed;
  conclude({ ...theirs, failed, ...own }, failed === 0 && code === 0 ? 0 : 1);
}
const why = code === null ? `ended from outside, or not done within ${LIMIT_MS / 1000} s` : 'see above';
conclude({ failed: 1 + ours.failed, ...own, reason: `the cases were not run to their end: ${why}` }, 1);
