/**
 * `make chaos MINUTES=n SEED=s [ARBITER=etcd]`: two controllers and a witness; faults drawn from the seed, several at once; judged
 * by the witness alone. What happens is told on stderr; the one line of stdout is JSON. See docs/CHAOS.md.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerLog } from '../src/lab/answers.ts';
import { ARBITER_KINDS, type LabArbiter, makeArbiter } from '../src/lab/arbiters.ts';
import { monotonicMs } from '../src/lab/machine.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import { type NamespaceRack, OUTSIDE } from '../src/lab/rack.ts';
import { failure, type Verdict } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { Prng } from '../src/sim/prng.ts';
import { Disk, HAS_FUSE } from './chaos/disk.ts';
import { Observer } from './chaos/observer.ts';
import { concludeChaos, countsByKind, longestGaps } from './chaos/report.ts';
import { RECOVERY_LIMIT_MS, Rounds, seconds } from './chaos/rounds.ts';
import { type Ability, kindsFor, kindsNamed, leftOut, schedule } from './chaos/schedule.ts';
import { type Controller, Site } from './chaos/site.ts';
import { ALL_LINKS, Wires } from './chaos/wires.ts';
import { bootNeighbour, makeNode, missing, OAM, tell } from './lab/site.ts';

/** The last round may begin at the very end, and what was found has to be told. */
const AFTER_LIMIT_MS = 2 * RECOVERY_LIMIT_MS;
const ARBITERS = ['none', ...ARBITER_KINDS] as const;
type ArbiterWord = (typeof ARBITERS)[number];

const NEEDED: Readonly<Record<ArbiterWord, readonly (readonly [path: string, name: string])[]>> = {
  none: [],
  etcd: [['/usr/bin/etcd', 'etcd-server']],
  disk: [],
  fence: [
    ['/usr/bin/ipmi_sim', 'openipmi'],
    ['/usr/bin/ipmitool', 'ipmitool'],
    ['/usr/sbin/fence_ipmilan', 'fence-agents'],
  ],
};

const MINUTES = Number(process.env.MINUTES || '10');
const SEED = process.env.SEED || String(randomBytes(4).readUInt32LE());
const ARBITER = (process.env.ARBITER || 'etcd') as ArbiterWord;
/** Only these, with a comma between them; empty = all that can be done here. */
const ONLY = process.env.KINDS || '';
/** Of a domain without arbiter. Under `takeover` a full cut is double activity: so it shows that the witness sees. */
const POLICY = process.env.POLICY || 'stay';

const abilities = new Set<Ability>([
  ...(HAS_FUSE ? (['fuse'] as const) : []),
  ...(ARBITER === 'none' ? [] : (['arbiter'] as const)),
  ...(ARBITER === 'fence' ? (['bmc'] as const) : []),
]);

async function makeController(
  rack: NamespaceRack,
  root: string,
  key: Buffer,
  index: 0 | 1,
  arbiter: LabArbiter | null,
): Promise<Controller> {
  const disk = await Disk.make(root, `controller-${index}`);
  const policy = `UPDATE SM_DOMAIN_SAFETY SET SILENCE_POLICY = '${POLICY}';\n`;
  const more = {
    mounts: disk.mounts,
    changes: arbiter?.rows ?? policy,
    ...(arbiter !== null && { secrets: arbiter.secrets, links: [...ALL_LINKS, OUTSIDE] }),
  };
  return { node: makeNode(rack, root, key, index, more), disk };
}

/** Plays to the end, or until `stop`; nothing of the nodes is left then. Returns the exit code. */
async function play(rack: NamespaceRack, root: string, stop: AbortSignal): Promise<number> {
  const key = randomBytes(64);
  const arbiter = ARBITER === 'none' ? null : makeArbiter(ARBITER, root, [0, 1]);
  const controllers = [
    await makeController(rack, root, key, 0, arbiter),
    await makeController(rack, root, key, 1, arbiter),
  ] as const;
  const nodes = controllers.map(({ node }) => node);
  await arbiter?.start(nodes);
  const file = join(root, 'answers');
  const neighbour = await bootNeighbour(rack, root, file);
  const owners = new Map(nodes.map(({ name, index }) => [rack.hardwareAddress(OAM, index), name]));
  const stamps = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const observer = new Observer(stamps, new AnswerLog(file, owners));
  const site = new Site({ rack, controllers, wires: new Wires(rack), observer, arbiter, tell });
  const rounds = new Rounds(site);
  const played = playRounds(rounds, stop).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  const outcome = await Promise.race([aborted(stop), played]);
  const { line, code } = conclude(site, rounds, outcome);
  if (code !== 0) await keep(root, controllers);
  await site.end();
  await arbiter?.end();
  await neighbour.powerOff();
  console.log(line);
  return code;
}

/** Returns why the pair did not recover; '' = it did. */
async function playRounds(rounds: Rounds, stop: AbortSignal): Promise<string> {
  const begun = await rounds.recovered(monotonicMs());
  if (begun === null) return 'the pair did not start';
  tell(`Both nodes are there, ${begun} is active.`);
  const kinds = kindsFor(abilities).filter((kind) => kindsNamed(ONLY)?.includes(kind));
  return rounds.play(schedule(new Prng(SEED), kinds), monotonicMs() + MINUTES * 60_000, stop);
}

function conclude({ observer, ends }: Site, { past }: Rounds, outcome: string | Error): Verdict {
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
    {
      rounds: past,
      doubles: observer.doubles(),
      gaps,
      recovered: outcome === '',
      reason,
      minutes: MINUTES,
      leftOut: leftOut(abilities),
      isRestricted: ONLY !== '',
    },
    {
      rounds: past.length,
      nodes_ended: ends,
      questions: observer.questions.count,
      widest_question_gap_ms: Math.round(observer.questions.widestMs),
      arbiter: ARBITER,
      minutes: MINUTES,
      seed: Number(SEED),
    },
  );
  if (verdict.code !== 0)
    tell(
      `To repeat it: make chaos MINUTES=${MINUTES} SEED=${SEED} ARBITER=${ARBITER}${ONLY && ` KINDS=${ONLY}`}`,
    );
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
  if (!['stay', 'takeover'].includes(POLICY)) return 'POLICY is stay or takeover';
  const wanted = kindsNamed(ONLY);
  if (!kindsFor(abilities).some((kind) => wanted?.includes(kind)))
    return 'KINDS names faults of docs/CHAOS.md that can be done here, with commas between them';
  const reason = missing(NEEDED[ARBITER]);
  if (reason !== null) return reason;
  const words = ARBITER === 'none' ? `no arbiter, policy ${POLICY}` : ARBITER;
  tell(`Two controllers and a witness; ${MINUTES} minutes, seed ${SEED}, ${words}.`);
  for (const [kind, why] of Object.entries(leftOut(abilities))) tell(`Left out: ${kind} ${why}.`);
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
