/** One seed from its first to its last moment: faults, then peace, then the verdict. */
import { notConverged } from './convergence.ts';
import { drawPlan, type Fault, FaultInjector } from './faults.ts';
import type { SimOptions } from './options.ts';
import { type Violation, World, type WorldParts } from './world.ts';

/** Longest time from the end of all faults to a world in order: time-outs of hung scripts and their retries included. */
export const CONVERGE_MS_MAX = 90_000;
/** It has to stay so. */
const SETTLED_MS = 3000;
/** After that nothing may move any more. */
const QUIET_MS = 10_000;
const SAMPLE_MS = 5000;
const LOOK_MS = 500;
const RECOVER_MS = 10_000;

export interface SeedResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Why the world did not come to rest; '' = it did. */
  readonly unconverged: string;
  readonly convergedMs: number;
  readonly simulatedMs: number;
  readonly digest: string;
  readonly counts: ReadonlyMap<string, number>;
}

export interface RunParts extends WorldParts {
  /** Instead of the plan drawn from the seed. */
  readonly plan?: readonly Fault[];
  /** Ends the run at the first violation. */
  readonly stopEarly?: boolean;
}

export function runSeed(options: SimOptions, parts: RunParts = {}): SeedResult {
  const world = new World(options, parts);
  const injector = new FaultInjector(world);
  injector.schedule(parts.plan ?? drawPlan(options));
  powerOnAll(world);
  const stop = () => parts.stopEarly === true && world.violations.length > 0;
  world.run(options.minutes * 60_000, stop);
  if (stop()) return result(world, '', 0);

  const healedAt = world.now;
  const unconverged = endFaults(world, injector, stop);
  return result(world, unconverged.reason, unconverged.atMs - healedAt);
}

/** Both nodes within three seconds; from then on the checkers look now and then. */
export function powerOnAll(world: World): void {
  sample(world);
  for (const node of world.nodes) world.after(world.rng.between(0, 3000), () => node.powerOn());
}

/** All faults end; the world has to come to rest, and stay so. Why it did not (''), and when that was known. */
export function endFaults(
  world: World,
  injector: FaultInjector,
  stop: () => boolean = () => false,
): { readonly reason: string; readonly atMs: number } {
  injector.healAll();
  repair(world);
  const reason = converge(world, world.now + CONVERGE_MS_MAX, stop);
  const atMs = world.now;
  if (reason === '' && !stop()) staysQuiet(world);
  return { reason, atMs };
}

function result(world: World, unconverged: string, convergedMs: number): SeedResult {
  const { options, violations, now, counts } = world;
  return {
    seed: options.seed,
    violations,
    unconverged,
    convergedMs,
    simulatedMs: now,
    digest: world.digestText(),
    counts,
  };
}

function sample(world: World): void {
  world.checkers.sample();
  world.after(SAMPLE_MS, () => sample(world));
}

/** What an operator does after a bad day: unlock everything, and try again what was given up. */
function repair(world: World): void {
  const again = () => {
    for (const node of world.nodes) {
      if (!node.manager.alive) continue;
      for (const target of world.nodes) {
        const command = { node: target.name, group: '', why: 'repair', forMs: 0 };
        if (target.manager.engine === null) continue;
        const locked = node.disk.nodes.get(target.name)?.administrative === 'locked';
        if (locked) world.command(node, { ...command, kind: 'unlock' });
        else if (target === node) world.command(node, { ...command, kind: 'recover' });
      }
    }
    if (notConverged(world) !== null) world.after(RECOVER_MS, again);
  };
  world.after(3000, again);
}

function converge(world: World, limit: number, stop: () => boolean): string {
  let since: number | null = null;
  let reason: string | null = 'not looked at';
  while (world.now < limit && !stop()) {
    world.run(world.now + LOOK_MS, stop);
    reason = notConverged(world);
    if (reason !== null) since = null;
    else since ??= world.now;
    if (since !== null && world.now - since >= SETTLED_MS) return '';
  }
  return reason ?? 'it does not stay in order';
}

/** A world in order, without faults, does not move: no flapping. */
function staysQuiet(world: World): void {
  const before = placement(world);
  world.run(world.now + QUIET_MS);
  const after = placement(world);
  if (after !== before) world.violation('no-flapping', '', '', `without a fault ${before} became ${after}`);
}

/** Where every service is active, and under which number. */
function placement(world: World): string {
  return world.nodes
    .map((node) => {
      const active = [...node.executor.services.values()].filter(({ role }) => role === 'active');
      return `${node.name}: ${active.map(({ name, activation, pid }) => `${name}/${activation}/${pid}`).join(' ')}`;
    })
    .join('; ');
}
