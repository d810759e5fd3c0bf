/**
 * `make bench-peers [ONLY=name] [REPEAT=n]`: the same work done by sm, by Pacemaker with Corosync, and by keepalived, in turns,
 * on the same kind of pair. stdout: JSON lines as those of `make bench`. See docs/BENCH.md.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FIVE, SHIPPED, type Shape, serviceNames, type Timing, writeSet } from './bench/definitions.ts';
import { BenchPair } from './bench/pair.ts';
import { compareIdle } from './bench/peers/idle.ts';
import { KeepalivedPair } from './bench/peers/keepalived.ts';
import { PacemakerPair } from './bench/peers/pacemaker.ts';
import { type AnyPair, type Contender, OURS, ratios, rounds } from './bench/peers/rounds.ts';
import { faultOf } from './bench/result.ts';
import { type Bench, runSuite } from './bench/suite.ts';
import { fastestTiming } from './bench/timing.ts';

const FIFTY: Shape = { groups: 10, services: 5 };
const FAST_HELLO_MS = 100;
/** Pacemaker waits 20 s at a first start, in case that others come. Only the first of its figures is about that. */
const SHORT_WAIT_S = 2;
const MONITOR_S = 1;

const NEEDED = [
  ['/usr/sbin/corosync', 'corosync'],
  ['/usr/sbin/pacemakerd', 'pacemaker'],
  ['/usr/sbin/crm_mon', 'pacemaker-cli-utils'],
  ['/usr/sbin/keepalived', 'keepalived'],
] as const;

function ours({ rack }: Bench, name: string, shape: Shape, timing: Timing): Contender {
  const make = (root: string): AnyPair => {
    const folder = `${root}-set`;
    writeSet(folder, shape, timing);
    return new BenchPair(rack, root, folder);
  };
  const { hello, dead, stopBound } = timing;
  return { name, make, processes: /^(node|MainThread|sm|sm-watchdog)$/, facts: { hello, dead, stopBound } };
}

function pacemaker(
  { rack }: Bench,
  shape: Shape,
  tokenMs: number | null,
  deadTimeSeconds: number | null,
): Contender {
  const options = { shape, tokenMs, monitorSeconds: MONITOR_S, deadTimeSeconds };
  return {
    name: tokenMs === null ? 'pacemaker' : `pacemaker-token-${tokenMs}`,
    make: (root) => new PacemakerPair(rack, root, options),
    processes: /^(corosync|pacemaker)/,
    facts: { tokenMs, monitorSeconds: MONITOR_S, deadTimeSeconds },
  };
}

function keepalived({ rack }: Bench, advertSeconds: number): Contender {
  const services = serviceNames(FIVE);
  return {
    name: `keepalived-${1000 * advertSeconds}ms`,
    make: (root) => new KeepalivedPair(rack, root, { services, advertSeconds }),
    processes: /^keepalived$/,
    facts: { advertSeconds, restart: 'everything moves' },
  };
}

async function five(bench: Bench): Promise<void> {
  await rounds(bench, '', FIVE, [
    ours(bench, OURS, FIVE, SHIPPED),
    pacemaker(bench, FIVE, null, null),
    ours(bench, `${OURS}-fast`, FIVE, fastestTiming(bench.root, FAST_HELLO_MS)),
    pacemaker(bench, FIVE, 1000, SHORT_WAIT_S),
    keepalived(bench, 1),
    keepalived(bench, 0.1),
  ]);
}

async function fifty(bench: Bench): Promise<void> {
  await rounds(bench, 'fifty-', FIFTY, [
    ours(bench, OURS, FIFTY, SHIPPED),
    pacemaker(bench, FIFTY, null, SHORT_WAIT_S),
  ]);
}

/** With a wait of 2 s at the start, which changes nothing of it. */
async function idle(bench: Bench): Promise<void> {
  await compareIdle(bench, [
    ours(bench, OURS, FIVE, SHIPPED),
    pacemaker(bench, FIVE, null, SHORT_WAIT_S),
    keepalived(bench, 1),
    keepalived(bench, 0.1),
  ]);
}

function refuse(): string | null {
  if (process.getuid?.() !== 0) return 'Pacemaker runs as a user of its own: only root can start it';
  const missing = NEEDED.filter(([path]) => !existsSync(path)).map(([, name]) => name);
  return missing.length === 0 ? null : `not installed here: apt-get install ${missing.join(' ')}`;
}

await runSuite({
  name: 'bench-peers',
  program: fileURLToPath(import.meta.url),
  limitMs: 20 * 60_000,
  benchmarks: { five, fifty, idle },
  refuse,
  // Only ours: the others promise nothing of the kind without fencing.
  fault: (result) => (result.name.includes(`.${OURS}`) ? faultOf(result) : null),
  conclude: ratios,
});
