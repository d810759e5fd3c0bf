/**
 * Swarm testing: each seed draws its own world and its own mix of faults. A run with every fault at once hides what a
 * run with two of them shows.
 * Source: Groce and others, "Swarm Testing", 2012.
 */
import { permissionAfterSendMinMs, permissionAfterSendMs } from '../core/guard/permission-time.ts';
import {
  type ArbiterShape,
  type Break,
  type DomainShape,
  EVERYWHERE,
  FAULT_KINDS,
  type FaultKind,
  type GroupShape,
  NO_ARBITER,
  PAIR,
  type ServiceShape,
  type SimOptions,
  type WorldClass,
} from './options.ts';
import { Prng } from './prng.ts';

export interface SwarmRequest {
  readonly seed: number;
  readonly minutes: number;
  readonly worldClass: WorldClass;
  readonly breaks: readonly Break[];
}

/** Mean times between faults of a kind, ms, of which a world draws; rarer where recovery takes longer. */
const MEAN_INTERVALS_MS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'power-off': [30_000, 180_000],
  'power-off-both': [120_000, 400_000],
  'kill-sm': [15_000, 120_000],
  'stall-sm': [15_000, 120_000],
  'kill-watchdog': [15_000, 120_000],
  'stall-watchdog': [15_000, 120_000],
  'kill-both': [60_000, 240_000],
  'crash-in-turn': [20_000, 120_000],
  'cut-one-way': [15_000, 90_000],
  'cut-both-ways': [15_000, 90_000],
  'cut-all-one-way': [40_000, 180_000],
  'carrier-down': [15_000, 90_000],
  'carrier-down-all': [40_000, 180_000],
  'loss-burst': [20_000, 90_000],
  'process-death': [5_000, 60_000],
  'script-hangs': [20_000, 120_000],
  'script-fails': [15_000, 90_000],
  'script-lies': [20_000, 120_000],
  'script-slow': [15_000, 90_000],
  'commit-fails': [40_000, 180_000],
  'commit-slow': [30_000, 120_000],
  'delay-burst': [20_000, 90_000],
  'clock-step': [20_000, 120_000],
  'equal-identity': [60_000, 240_000],
  'stall-twice': [15_000, 120_000],
  shutdown: [60_000, 240_000],
  swact: [15_000, 90_000],
  'swact-force': [30_000, 120_000],
  lock: [40_000, 180_000],
  unlock: [20_000, 90_000],
  'cut-all': [30_000, 120_000],
  'stall-node': [30_000, 120_000],
  'pause-node': [30_000, 120_000],
  'disk-rollback': [30_000, 120_000],
  'arbiter-down': [20_000, 120_000],
  'arbiter-cut': [15_000, 90_000],
  'arbiter-late': [20_000, 120_000],
  'register-restored': [60_000, 240_000],
  alone: [15_000, 90_000],
  'kill-arbiter': [10_000, 90_000],
  'stall-arbiter': [15_000, 90_000],
  'bmc-down': [30_000, 120_000],
  'bmc-lies': [30_000, 120_000],
  'bmc-wrong': [20_000, 90_000],
  'confirm-dead': [2000, 20_000],
  'confirm-alive': [2000, 20_000],
  redefine: [20_000, 90_000],
  isolated: [20_000, 90_000],
};

/** Faults without which the assumption of a class would not matter. */
const CLASS_NEEDS: Readonly<Partial<Record<WorldClass, readonly FaultKind[]>>> = {
  cut: ['cut-all'],
  clock: ['carrier-down-all', 'cut-all-one-way'],
  detect: ['carrier-down-all'],
};

/** Such a fault comes at least this often. */
const CLASS_INTERVAL_MS = 15_000;

/** Faults that only worlds of one class have. */
const CLASS_FAULTS: Readonly<Partial<Record<FaultKind, WorldClass>>> = {
  'stall-node': 'resume',
  'pause-node': 'resume',
  'disk-rollback': 'rollback',
  'confirm-alive': 'confirm',
  'bmc-wrong': 'wrong-bmc',
};

/** Need a record, a fence device, or either. */
const ARBITER_FAULTS: Readonly<Partial<Record<FaultKind, (shape: ArbiterShape) => boolean>>> = {
  'arbiter-down': hasRecord,
  'arbiter-cut': hasRecord,
  'arbiter-late': hasRecord,
  'register-restored': ({ record }) => record === 'etcd',
  alone: hasRecord,
  'kill-arbiter': (shape) => hasRecord(shape) || shape.fence,
  'stall-arbiter': (shape) => hasRecord(shape) || shape.fence,
  'bmc-down': ({ fence }) => fence,
  'bmc-lies': ({ fence }) => fence,
  'bmc-wrong': ({ fence }) => fence,
  isolated: ({ gateways }) => gateways,
};

function hasRecord({ record }: ArbiterShape): boolean {
  return record !== 'none';
}

/** Need a second node. */
const PAIR_FAULTS: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'confirm-dead',
  'confirm-alive',
  'cut-one-way',
  'cut-both-ways',
  'cut-all-one-way',
  'carrier-down',
  'carrier-down-all',
  'loss-burst',
  'delay-burst',
  'swact',
  'swact-force',
  'lock',
  'unlock',
  'cut-all',
]);

export function drawOptions(request: SwarmRequest): SimOptions {
  const { seed, minutes, worldClass, breaks } = request;
  const rng = new Prng(`swarm/${seed}`);
  const simplex = worldClass === 'default' && breaks.length === 0 && rng.chance(0.05);
  const domain = drawDomain(rng.fork('domain'), worldClass);
  const arbiter = simplex ? NO_ARBITER : drawArbiter(rng.fork('arbiter'), worldClass);
  const secondDomain = simplex ? {} : drawSecondDomain(rng.fork('second domain'), domain);
  const differ = Object.keys(secondDomain).length > 0;
  return {
    seed,
    minutes,
    worldClass,
    nodes: simplex ? ['controller-0'] : ['controller-0', 'controller-1'],
    links: rng.integer(1, 3),
    domain,
    secondDomain,
    arbiter,
    groups: drawGroups(rng.fork('groups')),
    network: drawNetwork(rng.fork('network')),
    disk: { commitMsMin: 0.3, commitMsMax: rng.pick([1, 5, 15]) },
    clockRates: drawClockRates(rng, worldClass),
    carrierLateness: worldClass === 'detect' ? rng.between(20, 60) : 1,
    faults: drawFaults(rng.fork('faults'), simplex, domain.policy, arbiter, worldClass, differ),
    breaks,
  };
}

/** Within the assumptions the two differ by a tenth at most. */
function drawClockRates(rng: Prng, worldClass: WorldClass): SimOptions['clockRates'] {
  if (worldClass !== 'clock') return [rng.between(0.95, 1.05), rng.between(0.95, 1.05)];
  const rates = [rng.between(0.6, 0.8), rng.between(1.2, 1.4)];
  return rng.chance(0.5) ? rates : rates.reverse();
}

/** Their assumption is one of the policy `takeover` without an arbiter. */
const TAKEOVER_CLASSES: ReadonlySet<WorldClass> = new Set<WorldClass>(['cut', 'clock', 'detect']);

/**
 * Half of the worlds have none; those of a class that is about `takeover`, and those of one node, never do. Those of wrong-bmc
 * can fence.
 */
function drawArbiter(rng: Prng, worldClass: WorldClass): ArbiterShape {
  const wrongBmc = worldClass === 'wrong-bmc';
  if (TAKEOVER_CLASSES.has(worldClass) || (rng.chance(0.5) && !wrongBmc)) return NO_ARBITER;
  const record = rng.pick(['etcd', 'etcd', 'disk', 'disk', 'none'] as const);
  const fence = record === 'none' || rng.chance(0.35) || wrongBmc;
  const loss = rng.pick([0, 0, 0.005, 0.05]);
  const delayMaxMs = rng.pick([2, 10, 40]);
  const wrong = fence ? rng.pick([[], [], [], [0], [1], [0, 1]]) : [];
  return { record, fence, gateways: false, wrong, loss, delayMaxMs };
}

function drawDomain(rng: Prng, worldClass: WorldClass): DomainShape {
  const policy = TAKEOVER_CLASSES.has(worldClass) || rng.chance(0.7) ? 'takeover' : 'stay';
  for (;;) {
    const helloIntervalMs = rng.pick([100, 200, 200, 200, 300]);
    const stopGraceMs = rng.pick([50, 100, 150]);
    const killVerifyMs = rng.pick([100, 150]);
    const shape: DomainShape = {
      policy,
      helloIntervalMs,
      deadIntervalMs: helloIntervalMs * rng.integer(3, 6),
      stopGraceMs,
      killVerifyMs,
      stopBoundMs: stopGraceMs + killVerifyMs + rng.pick([50, 100, 200]),
      linkDownDetectMs: rng.pick([20, 50, 100]),
      mainStallMsMax: rng.pick([1500, 3000, 5000]),
      waitIntervalMs: rng.pick([2000, 5000]),
      failureDebounceMs: rng.pick([0, 2000, 10_000]),
    };
    if (permissionAfterSendMs(shape) >= permissionAfterSendMinMs(shape)) return shape;
  }
}

/** Now and then the second node has newer definitions already: another dead interval, another stop bound. */
function drawSecondDomain(rng: Prng, domain: DomainShape): Partial<DomainShape> {
  if (!rng.chance(0.15)) return {};
  const longer = rng.pick([100, 200, 400]);
  const change = {
    deadIntervalMs: domain.deadIntervalMs + domain.helloIntervalMs * rng.integer(0, 3),
    stopBoundMs: domain.stopBoundMs + longer,
    killVerifyMs: domain.killVerifyMs + longer,
  };
  const whole = { ...domain, ...change };
  return permissionAfterSendMs(whole) >= permissionAfterSendMinMs(whole) ? change : {};
}

/** Exclusive groups, groups that run everywhere, and now and then a core group, beside each other in every way. */
function drawGroups(rng: Prng): GroupShape[] {
  const groups: GroupShape[] = [];
  const exclusive = rng.integer(1, 4);
  const everywhere = rng.integer(0, 2);
  const aggregate = exclusive > 1 && rng.chance(0.5) ? 'controller-aggregate' : '';
  if (rng.chance(0.15)) groups.push(drawGroup(rng, 'core', { ...EVERYWHERE, core: true }));
  for (let i = 0; i < exclusive; i++) {
    const together = aggregate !== '' && (i < 2 || rng.chance(0.5));
    const redundancy = rng.pick([{}, {}, {}, ALONE, ALONE_WITH_STANDBY]);
    const reboots = rng.chance(0.1);
    groups.push(
      drawGroup(rng, `pair-${i}`, {
        ...PAIR,
        ...redundancy,
        aggregate: together ? aggregate : '',
        beside: drawBeside(rng, groups),
        reboots,
      }),
    );
  }
  for (let i = 0; i < everywhere; i++) {
    const beside = drawBeside(rng, groups);
    const autoRecover = rng.chance(0.5);
    groups.push(drawGroup(rng, `everywhere-${i}`, { ...EVERYWHERE, beside, autoRecover }));
  }
  return groups;
}

/** Redundancy N with one active node: nothing is there on the other one, or a standby. */
const ALONE = { model: 'N', mStandby: 0 } as const;
const ALONE_WITH_STANDBY = { model: 'N', mStandby: 1 } as const;

/** One of the groups before, so that there is no circle. */
function drawBeside(rng: Prng, before: readonly GroupShape[]): string {
  return before.length > 0 && rng.chance(0.2) ? rng.pick(before).name : '';
}

function drawGroup(rng: Prng, name: string, kind: Omit<GroupShape, 'name' | 'services'>): GroupShape {
  const services: ServiceShape[] = [];
  for (let i = rng.integer(1, 5); i > 0; i--) {
    const before = services.at(-1);
    services.push({
      name: `${name}-s${services.length}`,
      promotable: kind.nActive === 1 && rng.chance(0.35),
      kernelState: rng.chance(0.25),
      after: before !== undefined && rng.chance(0.5) ? before.name : '',
      impact: rng.pick(['critical', 'critical', 'critical', 'major', 'minor', 'none']),
    });
  }
  return { ...kind, name, services };
}

function drawNetwork(rng: Prng): SimOptions['network'] {
  return {
    loss: rng.pick([0, 0, 0.001, 0.01, 0.05]),
    delayMinMs: 0.1,
    delayMaxMs: rng.pick([0.5, 5, 20]),
    duplication: rng.pick([0, 0, 0.01, 0.1]),
    lateDuplication: rng.pick([0, 0, 0.005, 0.02]),
  };
}

function drawFaults(
  rng: Prng,
  simplex: boolean,
  policy: DomainShape['policy'],
  arbiter: ArbiterShape,
  worldClass: WorldClass,
  differ: boolean,
): SimOptions['faults'] {
  const drawn: Partial<Record<FaultKind, number>> = {};
  for (const kind of FAULT_KINDS) {
    const [from, to] = MEAN_INTERVALS_MS[kind];
    const interval = Math.round(rng.between(from, to));
    const wanted = rng.chance(0.45);
    if (simplex && PAIR_FAULTS.has(kind)) continue;
    // A full cut of two live nodes is outside of what `takeover` can bear; a node that was stopped as a whole always.
    const byPolicy = !hasRecord(arbiter) && !arbiter.fence;
    if (kind === 'cut-all' && byPolicy && policy === 'takeover' && worldClass !== 'cut') continue;
    if (ARBITER_FAULTS[kind]?.(arbiter) === false) continue;
    if (kind === 'redefine' && !differ) continue;
    const only = CLASS_FAULTS[kind];
    if (only !== undefined && only !== worldClass) continue;
    const needed = CLASS_NEEDS[worldClass]?.includes(kind) === true;
    if (needed) drawn[kind] = Math.min(interval, CLASS_INTERVAL_MS);
    else if (wanted || only !== undefined) drawn[kind] = interval;
  }
  return drawn;
}
