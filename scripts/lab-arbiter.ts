/**
 * `make lab ARBITER=etcd|disk|fence`: a pair with a real arbiter, every link cut, the arbiter cut off and dead. What happens is
 * told on stderr; the one line of stdout is JSON. See docs/LAB.md.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerLog } from '../src/lab/answers.ts';
import { ARBITER_KINDS, type ArbiterKind, makeArbiter } from '../src/lab/arbiters.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import { LINK_COUNT, type NamespaceRack, OUTSIDE } from '../src/lab/rack.ts';
import { judged } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { type ArbiterFigures, ArbiterRuns } from './lab/arbiter-runs.ts';
import { bootNeighbour, FLOATING, makeNode, missing, OAM, tell } from './lab/site.ts';

const LIMIT_MS = 480_000;
const NEEDED: Readonly<Record<ArbiterKind, readonly (readonly [path: string, name: string])[]>> = {
  etcd: [['/usr/bin/etcd', 'etcd-server']],
  disk: [],
  fence: [
    ['/usr/bin/ipmi_sim', 'openipmi'],
    ['/usr/bin/ipmitool', 'ipmitool'],
    ['/usr/sbin/fence_ipmilan', 'fence-agents'],
  ],
};
/** Power-off of the active until the other one has everything, at 200/800 with S 300. */
const POWER_OFF_MS_MAX: Readonly<Record<ArbiterKind, number>> = { etcd: 1500, disk: 3200, fence: 1400 };
const SHOT_MS_MAX = 2000;

type Figures = ArbiterFigures & { readonly shot_ms?: number };

const word = process.env.ARBITER ?? '';
const kind = ARBITER_KINDS.find((known) => known === word);

/** The last line. Returns the exit code. */
function conclude(outcome: Figures | Error): number {
  const bounds = {
    both_active_ms: 0,
    cut_events: 0,
    dead_arbiter_takeovers: 0,
    standby_poweroff_events: 0,
    arbiter_restart_events: 0,
    power_off_ms: POWER_OFF_MS_MAX[kind ?? 'etcd'],
    ...(kind === 'fence' ? { shot_ms: SHOT_MS_MAX } : {}),
  };
  const figures = outcome instanceof Error ? { arbiter: word } : { ...outcome };
  const { line, code } = judged(figures, outcome instanceof Error ? outcome : bounds);
  console.log(line);
  return code;
}

/** A pair of its own below `root`, which ends with `work`. */
async function withPair<T>(
  rack: NamespaceRack,
  root: string,
  fences: readonly number[],
  stop: AbortSignal,
  work: (runs: ArbiterRuns) => Promise<T>,
): Promise<T | Error> {
  mkdirSync(root, { recursive: true });
  const key = randomBytes(64);
  const arbiter = makeArbiter(kind ?? 'etcd', root, fences);
  const links = [...Array.from({ length: LINK_COUNT }, (_, link) => link), OUTSIDE];
  const more = { changes: arbiter.rows, secrets: arbiter.secrets, links };
  const nodes = [makeNode(rack, root, key, 0, more), makeNode(rack, root, key, 1, more)] as const;
  const witness = new Witness(new Map(nodes.map(({ name, services }) => [name, services])));
  const owners = new Map(nodes.map(({ name, index }) => [rack.hardwareAddress(OAM, index), name]));
  const file = join(root, 'answers');
  const neighbour = await bootNeighbour(rack, root, file);
  const answers = new AnswerLog(file, owners);
  const traces = [
    [['ip', '-o', '-4', 'address'], FLOATING],
    [['cat', '/proc/mounts'], ' /run/lab-disk '],
  ] as const;
  const runs = new ArbiterRuns({ rack, nodes, witness, answers, tell, arbiter, traces });
  const played = work(runs).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  const outcome = await Promise.race([aborted(stop), played]);
  for (const each of nodes) await each.end();
  await arbiter.end();
  await neighbour.powerOff();
  return outcome;
}

async function play(rack: NamespaceRack, root: string, stop: AbortSignal): Promise<number> {
  const outcome = await withPair(rack, root, [0, 1], stop, (runs) => runs.playAll());
  if (outcome instanceof Error || kind !== 'fence') return conclude(outcome);
  tell('Another pair: controller-0 alone has a BMC, which does not notice that the power is gone.');
  const shot = await withPair(rack, join(root, 'shots'), [0], stop, (runs) => runs.playShots());
  return conclude(shot instanceof Error ? shot : { ...outcome, shot_ms: shot });
}

function begin(): string | null {
  if (kind === undefined) return `ARBITER has to be one of ${ARBITER_KINDS.join(', ')}`;
  const reason = missing(NEEDED[kind]);
  if (reason !== null) return reason;
  tell(`Two controllers on this machine, three links between them, and ${kind} beside them.`);
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
