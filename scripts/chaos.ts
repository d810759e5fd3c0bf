/**
 * `make chaos MINUTES=n SEED=s [ARBITER=none]`: two controllers and a witness; faults drawn from the seed, several at once; judged
 * by the witness alone. What happens is told on stderr; the one line of stdout is JSON. See docs/CHAOS.md.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerLog } from '../src/lab/answers.ts';
import { type Machine, monotonicMs } from '../src/lab/machine.ts';
import { LabNode } from '../src/lab/node.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import type { NamespaceRack } from '../src/lab/rack.ts';
import { failure, type Verdict } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { Prng } from '../src/sim/prng.ts';
import { Disk, HAS_FUSE } from './chaos/disk.ts';
import { Observer } from './chaos/observer.ts';
import { concludeChaos, countsByKind, longestGaps } from './chaos/report.ts';
import { RECOVERY_LIMIT_MS, Rounds, seconds } from './chaos/rounds.ts';
import { type Ability, ARBITERS, type Arbiter, kindsFor, schedule } from './chaos/schedule.ts';
import { type Controller, Site } from './chaos/site.ts';
import { Wires } from './chaos/wires.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = {
  definitions: join(PROJECT, 'db', 'definitions', 'lab'),
  programs: join(PROJECT, 'dist'),
  ocfRoot: '/usr/lib/ocf',
  initScripts: ['/etc/init.d/nginx'],
} as const;
/** The link, floating address and port that the definitions name. */
const OAM = 1;
const FLOATING = '10.77.2.100';
const PORT = 80;
const WITNESS = 2;
/** The last round may begin at the very end, and what was found has to be told. */
const AFTER_LIMIT_MS = 2 * RECOVERY_LIMIT_MS;

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
/** Without an arbiter a full cut is only safe where nobody takes over in a silence. */
const STAY = `UPDATE SM_DOMAIN_SAFETY SET SILENCE_POLICY = 'stay';\n`;

const MINUTES = Number(process.env.MINUTES || '10');
const SEED = process.env.SEED || String(randomBytes(4).readUInt32LE());
const ARBITER = (process.env.ARBITER || 'none') as Arbiter;

const started = performance.now();

function tell(line: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

function abilities(): Set<Ability> {
  return new Set<Ability>(HAS_FUSE ? ['fuse'] : []);
}

async function makeController(
  rack: NamespaceRack,
  root: string,
  key: Buffer,
  index: 0 | 1,
): Promise<Controller> {
  const name = `controller-${index}`;
  const disk = await Disk.make(root, name);
  const web = join(root, `${name}-nginx`);
  mkdirSync(web);
  writeFileSync(join(web, 'nginx.conf'), NGINX);
  const mounts = [
    { at: '/run', directory: null },
    { at: '/run/resource-agents', directory: null },
    { at: '/etc/nginx', directory: web },
    { at: '/var/log/nginx', directory: null },
    ...disk.mounts,
  ];
  const node = new LabNode({ name, index, root, key, mounts, changes: STAY, ...SOURCES }, rack);
  return { node, disk };
}

async function bootWitness(rack: NamespaceRack, root: string, file: string): Promise<Machine> {
  const directory = join(root, 'witness');
  mkdirSync(join(directory, 'run'), { recursive: true });
  const watch = join(PROJECT, 'scripts', 'lab', 'arp-watch');
  const machine = await rack.boot({
    name: 'witness',
    index: WITNESS,
    directory,
    program: [watch, `link${OAM}`, rack.address(OAM, WITNESS), FLOATING, String(PORT), file],
    log: join(root, 'witness.log'),
  });
  machine.pressStart();
  return machine;
}

/** Plays to the end, or until `stop`; nothing of the nodes is left then. Returns the exit code. */
async function play(rack: NamespaceRack, root: string, stop: AbortSignal): Promise<number> {
  const key = randomBytes(64);
  const controllers = [
    await makeController(rack, root, key, 0),
    await makeController(rack, root, key, 1),
  ] as const;
  const file = join(root, 'answers');
  const machine = await bootWitness(rack, root, file);
  const nodes = controllers.map(({ node }) => node);
  const owners = new Map(nodes.map(({ name, index }) => [rack.hardwareAddress(OAM, index), name]));
  const stamps = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const observer = new Observer(stamps, new AnswerLog(file, owners));
  const site = new Site({ rack, controllers, wires: new Wires(rack), observer, tell });
  const rounds = new Rounds(site);
  const outcome = await Promise.race([
    aborted(stop),
    playRounds(rounds, stop).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    ),
  ]);
  const { line, code } = conclude(site, rounds, outcome);
  if (code !== 0) await keep(root, controllers);
  await site.end();
  await machine.powerOff();
  console.log(line);
  return code;
}

/** Returns why the pair did not recover; '' = it did. */
async function playRounds(rounds: Rounds, stop: AbortSignal): Promise<string> {
  const begun = await rounds.recovered(monotonicMs());
  if (begun === null) return 'the pair did not start';
  tell(`Both nodes are there, ${begun} is active.`);
  const kinds = kindsFor(abilities());
  return rounds.play(schedule(new Prng(SEED), kinds), monotonicMs() + MINUTES * 60_000, stop);
}

function conclude({ observer, selfFences }: Site, { past }: Rounds, outcome: string | Error): Verdict {
  const gaps = observer.gaps();
  const counts = countsByKind(past);
  const longest = longestGaps({ rounds: past, gaps });
  tell('');
  for (const [kind, count] of Object.entries(counts).sort()) {
    const gap = longest[kind as keyof typeof longest];
    tell(
      `${kind.padEnd(22)} ${String(count).padStart(3)} times  ${gap === undefined ? '' : `longest gap ${seconds(gap)}`}`,
    );
  }
  const damaged = observer.damaged > 0 ? `${observer.damaged} damaged lines of the witnesses` : '';
  const reason = outcome instanceof Error ? outcome.message : outcome || damaged;
  const verdict = concludeChaos(
    { rounds: past, doubles: observer.doubles(), gaps, recovered: outcome === '', reason, minutes: MINUTES },
    {
      rounds: past.length,
      self_fences: selfFences,
      questions: observer.questions.count,
      widest_question_gap_ms: Math.round(observer.questions.widestMs),
      arbiter: ARBITER,
      minutes: MINUTES,
      seed: Number(SEED),
    },
  );
  if (verdict.code !== 0) tell(`To repeat it: make chaos MINUTES=${MINUTES} SEED=${SEED} ARBITER=${ARBITER}`);
  return verdict;
}

/** The nodes' disks end with the run. */
async function keep(root: string, controllers: readonly Controller[]): Promise<void> {
  for (const { node } of controllers) {
    const told = await (node.hasPower
      ? node.tool('smctl', 'explain', 'node')
      : Promise.reject(new Error('no power'))
    ).catch((error: unknown) => String(error));
    const to = join(root, 'kept', node.name);
    cpSync(node.directory, to, {
      recursive: true,
      filter: (from) => !/\/(run|services|cgroup|filler)$/.test(from),
    });
    writeFileSync(join(to, 'explain'), told);
  }
  tell(
    `Kept: ${root}/kept with each node's sm.log, database and smctl explain; ${root}/*-stamps and answers are what the witnesses saw.`,
  );
}

function begin(): string | null {
  if (!(MINUTES > 0) || !ARBITERS.includes(ARBITER) || !/^\d+$/.test(SEED))
    return `MINUTES is a number above 0, SEED a whole number, ARBITER one of ${ARBITERS.join(', ')}`;
  const missing = NEEDED.filter(([path]) => !existsSync(path)).map(([, name]) => name);
  if (missing.length > 0) return `not installed here: apt-get install ${missing.join(' ')}`;
  tell(`Two controllers and a witness; ${MINUTES} minutes, seed ${SEED}, arbiter ${ARBITER}.`);
  if (!HAS_FUSE) tell('Without /dev/fuse and bindfs no disk can be slow or hang here.');
  return null;
}

await perform(
  {
    program: fileURLToPath(import.meta.url),
    prefix: 'sm-chaos-',
    limitMs: MINUTES * 60_000 + AFTER_LIMIT_MS,
    keepFailed: true,
    begin,
    play,
    failed: (_, reason) => {
      console.log(failure('chaos', new Error(reason)).line);
      return 1;
    },
  },
  false,
);
