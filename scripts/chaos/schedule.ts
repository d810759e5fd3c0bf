/**
 * What `make chaos` does to the pair, drawn from a seed: rounds of one to three faults at once. Pure: the same seed, arbiter
 * and abilities of the machine give the same rounds, whatever the nodes do. Whether a fault hits the active or the standby is
 * drawn; which node that is shows when it begins.
 */
import type { Prng } from '../../src/sim/prng.ts';

/** What some faults need of the machine or of the run. */
export type Ability = 'fuse' | 'arbiter' | 'bmc';

/** Where the machine or the run has it not: what would give it. Ends "needs ...". */
const ABILITY_WORDS: Readonly<Record<Ability, string>> = {
  fuse: '/dev/fuse and bindfs',
  arbiter: 'an arbiter',
  bmc: 'ARBITER=fence',
};

/**
 * `resume`: processes that hold services' deadlines are stopped and continued. `confirm`: an operator says of a node that lives
 * that it is dead.
 */
export const ASSUMPTIONS = ['resume', 'confirm'] as const;
export type Assumption = (typeof ASSUMPTIONS)[number];

interface KindRule {
  /** How long it lasts, ms: from and to. */
  readonly forMs: readonly [number, number];
  readonly needs?: Ability;
  /** At most one fault of a place is in a round. */
  readonly place?: string;
  /** The assumption of the claim that it breaks. Such a fault has a round of its own. */
  readonly breaks?: Assumption;
}

export const KINDS = {
  loss: { forMs: [1500, 4000] },
  'cut-one-way': { forMs: [1000, 4000] },
  'cut-one-way-all': { forMs: [1000, 4000] },
  'cut-link': { forMs: [1000, 4000] },
  'cut-all': { forMs: [600, 4000] },
  'delay-and-reorder': { forMs: [1500, 4000], place: 'relay' },
  duplicate: { forMs: [1500, 4000], place: 'relay' },
  'cable-pulled': { forMs: [500, 4000], place: 'cable' },
  'cable-flaps': { forMs: [1000, 3000], place: 'cable' },
  'kill-sm': { forMs: [0, 0] },
  'kill-watchdog': { forMs: [0, 0] },
  // Programs that a hung disk does not give out are not started again.
  'kill-both': { forMs: [20, 100], place: 'disk' },
  'stop-sm': { forMs: [300, 4500] },
  'stop-watchdog': { forMs: [200, 2500] },
  'kill-scripts': { forMs: [3000, 5000], place: 'operator' },
  'stop-scripts': { forMs: [3000, 5000], place: 'operator' },
  'kill-service': { forMs: [0, 0] },
  'power-off': { forMs: [500, 4000], place: 'power' },
  'power-off-both': { forMs: [300, 2000], place: 'power' },
  'disk-full': { forMs: [1500, 4000], place: 'disk' },
  'disk-slow': { forMs: [2000, 4000], place: 'disk', needs: 'fuse' },
  'disk-hangs': { forMs: [1000, 4000], place: 'disk', needs: 'fuse' },
  swact: { forMs: [500, 1500], place: 'operator' },
  lock: { forMs: [1500, 4000], place: 'operator' },
  'arbiter-cut-from-one': { forMs: [1500, 4000], needs: 'arbiter', place: 'arbiter' },
  'cut-all-and-arbiter': { forMs: [1500, 5000], needs: 'arbiter', place: 'arbiter' },
  'arbiter-dead': { forMs: [500, 4000], needs: 'arbiter', place: 'arbiter' },
  'arbiter-restarts': { forMs: [0, 0], needs: 'arbiter', place: 'arbiter' },
  'arbiter-hangs': { forMs: [500, 3000], needs: 'arbiter', place: 'arbiter' },
  'kill-arbiter': { forMs: [0, 0], needs: 'arbiter' },
  'bmc-lies': { forMs: [2000, 4000], needs: 'bmc', place: 'arbiter' },
  'stop-both': { forMs: [300, 3000], breaks: 'resume' },
  'stop-node': { forMs: [300, 3000], breaks: 'resume' },
  'confirm-alive': { forMs: [1500, 4000], breaks: 'confirm' },
} as const satisfies Readonly<Record<string, KindRule>>;
export type Kind = keyof typeof KINDS;

const RULES: Readonly<Record<Kind, KindRule>> = KINDS;

/** null = none: the claim holds under it. */
export function assumptionBrokenBy(kind: Kind): Assumption | null {
  return RULES[kind].breaks ?? null;
}

/** All numbers are drawn for every fault; each kind uses those that mean something for it. */
export interface Fault {
  /** From 1. */
  readonly number: number;
  readonly kind: Kind;
  readonly on: 'active' | 'standby';
  /** Number of the link, for faults of one link. */
  readonly link: number;
  /** Whose frames are concerned where only one direction is: those from the node, or those to it. */
  readonly direction: 'from' | 'to';
  /** For losses and duplicates, 20 to 70. */
  readonly percent: number;
  /** Longest delay, or length of a beat, ms: 20 to 600. */
  readonly beatMs: number;
  /** Since the beginning of the round. */
  readonly afterMs: number;
  readonly forMs: number;
}

export interface Round {
  /** From 1. */
  readonly number: number;
  readonly faults: readonly Fault[];
}

const LINKS = 3;
const AFTER_MS_MAX = 1500;
/** How many faults a round has, each number as often as the others. */
const SIZES = [1, 2, 2, 3] as const;

export function kindsFor(abilities: ReadonlySet<Ability>): Kind[] {
  return (Object.keys(KINDS) as Kind[]).filter((kind) => {
    const { needs } = RULES[kind];
    return needs === undefined || abilities.has(needs);
  });
}

/** What kindsFor leaves out, each with the reason. */
export function leftOut(abilities: ReadonlySet<Ability>): Partial<Record<Kind, string>> {
  const left: Partial<Record<Kind, string>> = {};
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const { needs } = RULES[kind];
    if (needs !== undefined && !abilities.has(needs)) left[kind] = `needs ${ABILITY_WORDS[needs]}`;
  }
  return left;
}

/** Words of a list, each with a comma behind it but the last; empty = all of them. null = one of them is no kind. */
export function kindsNamed(list: string): Kind[] | null {
  const all = Object.keys(KINDS) as Kind[];
  const words = list.split(',').filter((word) => word !== '');
  if (words.some((word) => !all.some((kind) => kind === word))) return null;
  return words.length === 0 ? all : all.filter((kind) => words.includes(kind));
}

/** Endless. Every kind comes once before any comes twice. */
export function* schedule(chance: Prng, kinds: readonly Kind[]): Generator<Round, never> {
  const left: Kind[] = [];
  let faults = 0;
  for (let number = 1; ; number += 1) {
    const first = faults + 1;
    const drawn = drawKinds(chance, kinds, left);
    faults += drawn.length;
    yield { number, faults: drawn.map((kind, i) => drawFault(chance, kind, first + i)) };
  }
}

/** Takes kinds off the shuffled rest, which is filled up when it is empty, as long as they go together. */
function drawKinds(chance: Prng, kinds: readonly Kind[], left: Kind[]): Kind[] {
  const size = chance.pick(SIZES);
  const round: Kind[] = [];
  while (round.length < size) {
    if (left.length === 0) left.push(...shuffled(chance, kinds));
    const next = left.findIndex((kind) => goesWith(kind, round));
    if (next < 0) break;
    round.push(...left.splice(next, 1));
  }
  return round;
}

function goesWith(kind: Kind, round: readonly Kind[]): boolean {
  if (round.length === 0) return true;
  const { place } = RULES[kind];
  const isAlone = [kind, ...round].some((each) => RULES[each].breaks !== undefined);
  return (
    !isAlone &&
    !round.some((other) => other === kind || (place !== undefined && RULES[other].place === place))
  );
}

function drawFault(chance: Prng, kind: Kind, number: number): Fault {
  const [from, to] = RULES[kind].forMs;
  return {
    number,
    kind,
    on: chance.chance(0.6) ? 'active' : 'standby',
    link: chance.integer(0, LINKS - 1),
    direction: chance.pick(['from', 'to']),
    percent: chance.integer(20, 70),
    beatMs: chance.integer(20, 600),
    afterMs: chance.integer(0, AFTER_MS_MAX),
    forMs: chance.integer(from, to),
  };
}

function shuffled(chance: Prng, kinds: readonly Kind[]): Kind[] {
  const rest = [...kinds];
  return kinds.map(() => rest.splice(chance.integer(0, rest.length - 1), 1)[0]!);
}
