/**
 * `make lab`: two nodes with Debian's agents, a floating address and a neighbour that asks for it; power-offs, cuts, loss.
 * What happens is told on stderr; the one line of stdout is JSON. See docs/LAB.md. SEED repeats the chances of a run.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerLog } from '../src/lab/answers.ts';
import type { Machine } from '../src/lab/machine.ts';
import { LabNode } from '../src/lab/node.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import type { NamespaceRack } from '../src/lab/rack.ts';
import { failure, verdictOn } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { replayAll } from '../src/sim/traces.ts';
import { BOUNDS, type Figures, Scenarios } from './lab/scenarios.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = {
  definitions: join(PROJECT, 'db', 'definitions', 'lab'),
  programs: join(PROJECT, 'dist'),
  ocfRoot: '/usr/lib/ocf',
  initScripts: ['/etc/init.d/nginx'],
} as const;
const LIMIT_MS = 480_000;

/** The link, floating address and port that the definitions name. */
const OAM = 1;
const FLOATING = '10.77.2.100';
const PORT = 80;
const NEIGHBOUR = 2;

/** What has to be installed: file, and Debian's package. */
const NEEDED = [
  ['/usr/lib/ocf/resource.d/heartbeat/IPaddr2', 'resource-agents'],
  ['/etc/init.d/nginx', 'nginx-light'],
  ['/usr/sbin/nft', 'nftables'],
] as const;

const NGINX = `pid /run/nginx.pid;
worker_processes 1;
error_log /run/nginx-error.log;
events {}
http {
  access_log off;
  client_body_temp_path /run/nginx-body;
  proxy_temp_path /run/nginx-proxy;
  fastcgi_temp_path /run/nginx-fastcgi;
  uwsgi_temp_path /run/nginx-uwsgi;
  scgi_temp_path /run/nginx-scgi;
  server { listen ${FLOATING}:${PORT}; root /run/lab-disk; }
}
`;

const started = performance.now();

function tell(line: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

/** What all lives of both nodes recorded, in the same core once more. */
function replayed(nodes: readonly LabNode[]): { replayed_turns: number; replay_differences: number } {
  const replays = nodes.map(({ directory }) => replayAll(join(directory, 'trace')));
  for (const { lines } of replays) for (const line of lines) tell(line);
  return {
    replayed_turns: replays.reduce((sum, { summary }) => sum + summary.turns, 0),
    replay_differences: replays.filter(({ summary }) => !summary.identical).length,
  };
}

/** The last line. Returns the exit code. */
function conclude(outcome: (Figures & ReturnType<typeof replayed>) | Error): number {
  const bounds = { ...BOUNDS, replay_differences: 0 };
  const { line, code } =
    outcome instanceof Error ? failure('lab', outcome) : verdictOn('lab', { ...outcome }, bounds);
  console.log(line);
  return code;
}

function makeNode(rack: NamespaceRack, root: string, key: Buffer, index: 0 | 1): LabNode {
  const name = `controller-${index}`;
  const web = join(root, `${name}-nginx`);
  mkdirSync(web);
  writeFileSync(join(web, 'nginx.conf'), NGINX);
  const mounts = [
    { at: '/run', directory: null },
    // systemd-tmpfiles makes it at the boot of a Debian machine.
    { at: '/run/resource-agents', directory: null },
    { at: '/etc/nginx', directory: web },
    { at: '/var/log/nginx', directory: null },
  ];
  return new LabNode({ name, index, root, key, mounts, ...SOURCES }, rack);
}

async function bootNeighbour(rack: NamespaceRack, root: string, file: string): Promise<Machine> {
  const directory = join(root, 'neighbour');
  mkdirSync(join(directory, 'run'), { recursive: true });
  const watch = join(PROJECT, 'scripts', 'lab', 'arp-watch');
  const machine = await rack.boot({
    name: 'neighbour',
    index: NEIGHBOUR,
    directory,
    program: [watch, `link${OAM}`, rack.address(OAM, NEIGHBOUR), FLOATING, String(PORT), file],
    log: join(root, 'neighbour.log'),
    links: [OAM],
  });
  machine.pressStart();
  return machine;
}

/** Plays to the end, or until `stop`; nothing of the nodes is left then. Returns the exit code. */
async function play(rack: NamespaceRack, root: string, stop: AbortSignal): Promise<number> {
  const key = randomBytes(64);
  const nodes = [makeNode(rack, root, key, 0), makeNode(rack, root, key, 1)] as const;
  const witness = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const owners = new Map(nodes.map(({ name, index }) => [rack.hardwareAddress(OAM, index), name]));
  const file = join(root, 'answers');
  const neighbour = await bootNeighbour(rack, root, file);
  const answers = new AnswerLog(file, owners);
  const seed = Number(process.env.SEED ?? randomBytes(4).readUInt32LE());
  const scenarios = new Scenarios({ rack, nodes, witness, answers, tell, seed });
  const played = scenarios
    .playAll()
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  const outcome = await Promise.race([aborted(stop), played]);
  for (const each of nodes) await each.end();
  await neighbour.powerOff();
  return conclude(outcome instanceof Error ? outcome : { ...outcome, ...replayed(nodes) });
}

function begin(): string | null {
  const missing = NEEDED.filter(([path]) => !existsSync(path)).map(([, name]) => name);
  if (missing.length > 0) return `not installed here: apt-get install ${missing.join(' ')}`;
  tell('Two controllers on this machine, three links between them, and a neighbour on the oam network.');
  return null;
}

await perform(
  {
    program: fileURLToPath(import.meta.url),
    prefix: 'sm-lab-',
    limitMs: LIMIT_MS,
    begin,
    play,
    failed: (_, reason) => conclude(new Error(reason)),
  },
  false,
);
