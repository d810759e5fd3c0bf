/**
 * `make lab`: two nodes with Debian's agents, a floating address and a neighbour that asks for it; power-offs, cuts, loss.
 * What happens is told on stderr; the one line of stdout is JSON. See docs/LAB.md. SEED repeats the chances of a run.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnswerLog } from '../src/lab/answers.ts';
import type { LabNode } from '../src/lab/node.ts';
import { aborted, perform } from '../src/lab/perform.ts';
import type { NamespaceRack } from '../src/lab/rack.ts';
import { failure, verdictOn } from '../src/lab/verdict.ts';
import { Witness } from '../src/lab/witness.ts';
import { replayAll } from '../src/sim/traces.ts';
import { BOUNDS, type Figures, Scenarios } from './lab/scenarios.ts';
import { bootNeighbour, makeNode, missing, OAM, tell } from './lab/site.ts';

const LIMIT_MS = 480_000;

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
  const reason = missing();
  if (reason !== null) return reason;
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
