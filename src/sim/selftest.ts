/**
 * A checker counts only if it can fail: each deliberate break of a rule has to be caught, by the checker that judges that
 * rule, within a bounded number of seeds.
 */
import {
  type Break,
  EVERYWHERE,
  type FaultKind,
  type GroupShape,
  NO_ARBITER,
  PAIR,
  type SimOptions,
} from './options.ts';
import { runSeed } from './run.ts';
import { drawOptions } from './swarm.ts';

export interface Expectation {
  readonly name: Break;
  readonly checkers: readonly string[];
  /** Faults under which the rule matters; they come often, the others not at all. */
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults of a kind. */
  readonly everyMs?: number;
  readonly change?: (options: SimOptions) => SimOptions;
}

export const EXPECTATIONS: readonly Expectation[] = [
  {
    name: 'perform-check',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'process-death', 'swact'],
    everyMs: 1000,
    change: (options) => slowDisk(takeover(options)),
  },
  { name: 'echo-date', checkers: ['single-active'], faults: ['cut-all-one-way'], change: takeover },
  { name: 'replay-window', checkers: ['no-replay'], faults: [], change: lateFrames },
  {
    name: 'seq-order',
    checkers: ['single-active', 'activation-numbers'],
    faults: ['commit-fails', 'swact', 'loss-burst'],
    everyMs: 600,
    change: lateFrames,
  },
  { name: 'carrier-watch', checkers: ['single-active'], faults: ['carrier-down-all'], change: takeover },
  {
    name: 'announced-bound',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'power-off'],
    change: (options) => longerAtSecond(takeover(options)),
  },
  {
    name: 'times-kept',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'kill-watchdog', 'script-hangs', 'script-fails'],
    everyMs: 1200,
    change: (options) => longerAtSecond(inTheKernel(takeover(options))),
  },
  { name: 'number-first', checkers: ['activation-numbers'], faults: [] },
  { name: 'kernel-life', checkers: ['single-active'], faults: ['kill-watchdog'] },
  { name: 'boot-void', checkers: ['single-active'], faults: ['power-off'], change: takeover },
  { name: 'duplicate-identity', checkers: ['one-identity'], faults: ['equal-identity'] },
  {
    name: 'commit-before-kill',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'commit-fails'],
    change: takeover,
  },
  {
    name: 'commit-first',
    checkers: ['activation-numbers', 'crash-consistency'],
    faults: ['commit-fails', 'process-death'],
  },
  {
    name: 'wall-clock',
    checkers: ['assertion', 'single-active'],
    faults: ['clock-step', 'carrier-down-all'],
    change: takeover,
  },
  {
    name: 'kill-list',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'stall-sm', 'kill-sm'],
    change: takeover,
  },
  {
    name: 'lost-told',
    checkers: ['converged'],
    faults: ['carrier-down-all'],
    everyMs: 1000,
    change: takeover,
  },
  {
    name: 'copy-deadline',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'kill-watchdog'],
    change: takeover,
  },
  { name: 'watch-watchdog', checkers: ['single-active'], faults: ['stall-watchdog'], change: takeover },
  {
    name: 'unguarded-start',
    checkers: ['single-active'],
    faults: ['kill-both', 'script-slow'],
    everyMs: 3000,
    change: (options) => inTheKernel(etcd(options)),
  },
  { name: 'restart-sm', checkers: ['converged'], faults: ['kill-sm'] },
  {
    name: 'kill-by-pgid',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'script-hangs', 'script-fails'],
    change: takeover,
  },
  {
    name: 'kernel-state',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'script-hangs', 'script-fails'],
    change: takeover,
  },
  {
    name: 'self-fence',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'script-hangs', 'script-fails'],
    change: takeover,
  },
  { name: 'verified-stop', checkers: ['single-active'], faults: ['swact', 'script-slow'] },
  { name: 'announce-wait', checkers: ['single-active'], faults: ['cut-all-one-way'], change: takeover },
  { name: 'links-all', checkers: ['single-active'], faults: ['carrier-down-all'], change: takeover },
  { name: 'deaf-announcer', checkers: ['single-active'], faults: ['cut-all-one-way'], change: takeover },
  {
    name: 'count-from-start',
    checkers: ['single-active'],
    faults: ['carrier-down-all', 'kill-watchdog', 'kill-both'],
    change: takeover,
  },
  {
    name: 'gateway',
    checkers: ['single-active'],
    faults: ['isolated'],
    change: (options) => gateways(takeover(options)),
  },
  { name: 'stop-before-start', checkers: ['single-active'], faults: ['swact', 'script-slow'] },
  { name: 'unlock-stored', checkers: ['locked-gains-nothing'], faults: ['lock', 'unlock'] },
  { name: 'intent-log', checkers: ['crash-consistency'], faults: ['kill-sm', 'process-death'] },
  {
    name: 'audit-first',
    checkers: ['crash-consistency'],
    faults: ['kill-sm', 'process-death', 'script-slow'],
  },
  {
    name: 'orphan-scripts',
    checkers: ['one-action', 'opposite-order'],
    faults: ['kill-sm', 'swact', 'script-slow'],
  },
  {
    name: 'abort-verified',
    checkers: ['one-action', 'opposite-order'],
    faults: ['swact', 'script-slow', 'process-death'],
  },
  {
    name: 'sole-mode',
    checkers: ['single-active'],
    faults: ['alone', 'power-off', 'arbiter-cut'],
    everyMs: 6000,
    change: etcd,
  },
  {
    name: 'leased-from-send',
    checkers: ['single-active'],
    faults: ['alone', 'arbiter-late', 'stall-sm', 'cut-all'],
    everyMs: 3000,
    change: (options) => lateArbiter(etcd(options)),
  },
  { name: 'word-last', checkers: ['single-active'], faults: ['shutdown', 'script-slow'] },
  {
    name: 'word-stands',
    checkers: ['single-active'],
    faults: ['commit-fails', 'cut-all'],
    everyMs: 1200,
    change: stay,
  },
  {
    name: 'nonce',
    checkers: ['single-active'],
    faults: ['cut-all', 'arbiter-cut', 'stall-arbiter'],
    everyMs: 2500,
    change: etcd,
  },
  {
    name: 'verify-off',
    checkers: ['single-active'],
    faults: ['cut-all', 'bmc-lies'],
    change: fence,
  },
  {
    name: 'device-tie',
    checkers: ['single-active'],
    faults: ['cut-all'],
    change: (options) => wrongBmc(fence(options)),
  },
  { name: 'fence-delay', checkers: ['one-shot'], faults: ['cut-all'], change: fence },
  {
    name: 'proof-once',
    checkers: ['single-active'],
    faults: ['power-off', 'cut-all', 'confirm-dead', 'swact'],
    everyMs: 3500,
    change: etcd,
  },
  {
    name: 'quiet-since',
    checkers: ['single-active'],
    faults: ['cut-all', 'kill-sm', 'power-off', 'swact'],
    everyMs: 5000,
    change: etcd,
  },
  {
    name: 'disk-yield',
    checkers: ['single-active'],
    faults: ['cut-all', 'stall-arbiter'],
    everyMs: 700,
    change: (options) => lateArbiter(disk(options)),
  },
  { name: 'higher-stays', checkers: ['one-goes-on'], faults: ['cut-all'], change: bothAct },
  { name: 'one-chooser', checkers: ['converged'], faults: ['swact', 'process-death', 'carrier-down'] },
  {
    name: 'lone-start',
    checkers: ['single-active'],
    faults: ['power-off', 'carrier-down'],
    everyMs: 4000,
    change: takeover,
  },
  { name: 'timer-kept', checkers: ['bounded', 'converged'], faults: ['power-off'], change: takeover },
];

export interface SelftestResult {
  readonly name: Break;
  readonly caught: boolean;
  readonly checker: string;
  readonly seeds: number;
}

/** Runs worlds with one rule broken until its checker says so. */
export function provoke(name: Break, seedsMax: number): SelftestResult {
  const expectation = EXPECTATIONS.find((candidate) => candidate.name === name);
  if (expectation === undefined) throw new Error(`no expectation for ${name}`);
  for (let seed = 1; seed <= seedsMax; seed++) {
    const options = worldFor(expectation, seed);
    const { violations, unconverged } = runSeed(options, { stopEarly: true });
    const objecting = violations.map(({ checker }) => checker);
    if (unconverged !== '') objecting.push('converged');
    const found = objecting.find((checker) => expectation.checkers.includes(checker));
    if (found !== undefined && isSound({ ...options, breaks: [] }))
      return { name, caught: true, checker: found, seeds: seed };
  }
  return { name, caught: false, checker: '', seeds: seedsMax };
}

/** The same world with every rule in force: what is found with one broken has to come from the break. */
function isSound(options: SimOptions): boolean {
  const { violations, unconverged } = runSeed(options);
  return violations.length === 0 && unconverged === '';
}

/** The world in which a break is looked for. */
export function worldFor(expectation: Expectation, seed: number): SimOptions {
  const drawn = drawOptions({ seed, minutes: 3, worldClass: 'default', breaks: [expectation.name] });
  const faults: Partial<Record<FaultKind, number>> = {};
  for (const kind of expectation.faults) faults[kind] = expectation.everyMs ?? 8000;
  const groups = drawn.groups.map(plain);
  const options = { ...drawn, groups, faults, arbiter: NO_ARBITER };
  return expectation.change?.(options) ?? options;
}

/** Without what only some groups have: a rule that is broken shows in any, and sooner where all groups move. */
function plain(group: GroupShape): GroupShape {
  const services = group.services.map((service) => ({ ...service, impact: 'critical' as const }));
  return { ...group, ...(group.nActive === 1 ? PAIR : EVERYWHERE), aggregate: group.aggregate, services };
}

function etcd(options: SimOptions): SimOptions {
  return { ...options, arbiter: { ...NO_ARBITER, record: 'etcd', loss: 0, delayMaxMs: 10 } };
}

function disk(options: SimOptions): SimOptions {
  return { ...options, arbiter: { ...NO_ARBITER, record: 'disk', loss: 0, delayMaxMs: 10 } };
}

function fence(options: SimOptions): SimOptions {
  return { ...options, arbiter: { ...NO_ARBITER, fence: true, loss: 0, delayMaxMs: 10 } };
}

/** The fence device of either node has the power of another machine. */
function wrongBmc(options: SimOptions): SimOptions {
  return { ...options, arbiter: { ...options.arbiter, wrong: [0, 1] } };
}

/** There is time to ask three times before permission runs out. */
function gateways(options: SimOptions): SimOptions {
  const domain = { ...options.domain, helloIntervalMs: 200, deadIntervalMs: 1200 };
  return { ...options, domain, secondDomain: {}, arbiter: { ...NO_ARBITER, gateways: true } };
}

/** Requests get lost, and answers are slow. */
function lateArbiter(options: SimOptions): SimOptions {
  return { ...options, arbiter: { ...options.arbiter, loss: 0.05, delayMaxMs: 80 } };
}

function takeover(options: SimOptions): SimOptions {
  return { ...options, domain: { ...options.domain, policy: 'takeover' } };
}

function stay(options: SimOptions): SimOptions {
  return { ...options, domain: { ...options.domain, policy: 'stay' } };
}

/** Cuts in the middle, which nobody is told of: outside of the claim that one node acts, and inside of what heals it. */
function bothAct(options: SimOptions): SimOptions {
  return { ...takeover(options), worldClass: 'cut', unjudged: ['single-active'] };
}

/** Between the token and the spawn lies a commit: on a slow disk much can happen in it. */
function slowDisk(options: SimOptions): SimOptions {
  return { ...options, disk: { commitMsMin: 200, commitMsMax: 1200 } };
}

/** Frames are lost, come twice, and come seconds late. */
function lateFrames(options: SimOptions): SimOptions {
  const network = { ...options.network, loss: 0.2, duplication: 0.1, lateDuplication: 0.4 };
  return { ...options, network };
}

/** Everything is held in the kernel, and the peer takes over soon. */
function inTheKernel(options: SimOptions): SimOptions {
  const groups = options.groups.map((group) => ({
    ...group,
    services: group.services.map((service) => ({ ...service, kernelState: true })),
  }));
  return { ...options, groups, domain: { ...options.domain, helloIntervalMs: 100, deadIntervalMs: 300 } };
}

/** The second node takes much longer to stop than the first. */
function longerAtSecond(options: SimOptions): SimOptions {
  const { deadIntervalMs, stopBoundMs, killVerifyMs } = options.domain;
  const secondDomain = {
    deadIntervalMs: 2 * deadIntervalMs,
    stopBoundMs: stopBoundMs + 500,
    killVerifyMs: killVerifyMs + 500,
  };
  return { ...options, secondDomain };
}
