/**
 * Everything that shapes one simulated world, as plain data: what `swarm.ts` draws from a seed, what a scenario file sets
 * by hand, and what is printed first, so that a run can be repeated exactly.
 */
import type { DefinitionSet } from '../core/definitions/model.ts';
import type { RedundancyModel, ServiceAction, Severity, SilencePolicy } from '../core/kernel/names.ts';

export const FAULT_KINDS = [
  'power-off',
  'power-off-both',
  'kill-sm',
  'stall-sm',
  'kill-watchdog',
  'stall-watchdog',
  'kill-both',
  'crash-in-turn',
  'cut-one-way',
  'cut-both-ways',
  'cut-all-one-way',
  'carrier-down',
  'carrier-down-all',
  'loss-burst',
  'delay-burst',
  'process-death',
  'script-hangs',
  'script-fails',
  'script-lies',
  'script-slow',
  'commit-fails',
  'commit-slow',
  'clock-step',
  'equal-identity',
  'stall-twice',
  'shutdown',
  'swact',
  'swact-force',
  'lock',
  'unlock',
  'cut-all',
  'stall-node',
  'pause-node',
  'disk-rollback',
  'arbiter-down',
  'arbiter-cut',
  'arbiter-late',
  'register-restored',
  'alone',
  'kill-arbiter',
  'stall-arbiter',
  'bmc-down',
  'bmc-lies',
  'bmc-wrong',
  'confirm-dead',
  'confirm-alive',
  'redefine',
  'isolated',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * Worlds of `default` keep to the assumptions of the claim. The others break one on purpose and are reported apart:
 * `cut`: a full two-way cut of two live nodes under policy `takeover`; `resume`: both processes of a node stopped and
 * continued, or the whole machine paused, its clock standing, as a virtual machine can be; `rollback`: a node comes
 * back with its disk as it was up to a minute earlier; `confirm`: an operator takes a silent node for dead that lives;
 * `wrong-bmc`: the fence device of a node gets another machine's power at any time, as an audit can not foresee;
 * `clock`: the rates of the two clocks differ by more than 10 %; `detect`: a link that is down at its own end is noticed
 * later than `link_down_detect`.
 */
export const WORLD_CLASSES = [
  'default',
  'cut',
  'resume',
  'rollback',
  'confirm',
  'wrong-bmc',
  'clock',
  'detect',
] as const;
export type WorldClass = (typeof WORLD_CLASSES)[number];

/**
 * Rules that can be broken on purpose, to see that a checker notices (`sm-sim selftest`), and what happens instead. The
 * order is that of docs/SAFETY.md.
 */
export const BREAKS = {
  'perform-check': 'nothing is looked at again between the token and the spawn',
  'echo-date': 'a frame renews by its receipt, whatever it echoes',
  'replay-window': 'a datagram is taken each time a copy of it comes',
  'seq-order': 'what an older frame says replaces what a newer one said',
  'carrier-watch': 'a link that is down at its own end counts as up',
  'announced-bound': 'the peer is taken to have the own times, whatever it announces',
  'times-kept': 'a restarted sm-watchdog forgets what the peer announced',
  'number-first': 'an activation begins before its number is stored',
  'kernel-life': 'a restart of sm-watchdog looks like a reboot of the node',
  'boot-void': 'a reboot voids nothing of what was held before it',
  'duplicate-identity': 'nobody minds another machine with the name of this node',
  'commit-before-kill': 'stopping waits for a commit',
  'commit-first': 'a turn that could not be stored is carried out all the same',
  'wall-clock': 'times are counted by a clock that can be set',
  'kill-list': 'sm-watchdog is not told what must die at the deadline',
  'lost-told': 'sm-watchdog loses permission and keeps it to itself',
  'copy-deadline': 'a restarted sm-watchdog gets a permission without end',
  'watch-watchdog': 'a hung sm-watchdog is not replaced',
  'unguarded-start': 'what both processes left when they died at once is not looked at',
  'restart-sm': 'a dead sm is not started again',
  'kill-by-pgid': 'what has left the process group of its script is not killed',
  'kernel-state': 'killing its processes counts as the end of what a service holds in the kernel',
  'self-fence': 'a node that could not stop in time goes on',
  'verified-stop': '"stopped" is said when it is wanted, not when it is verified',
  'announce-wait': 'a take-over does not wait for the stop bound',
  'links-all': 'a silent peer is replaced whatever the own links are',
  'deaf-announcer': 'the announcement of a peer that does not hear us is not obeyed',
  'count-from-start': 'a restarted sm-watchdog counts the silence from before its start',
  gateway: 'a link counts as up whose gateway does not answer',
  'stop-before-start': 'a group is given to the other node before the first has stopped',
  'unlock-stored': 'that a node was unlocked is not stored',
  'intent-log': 'a script is started that is not stored as begun',
  'audit-first': 'after a crash nothing is looked at before it gets its next order',
  'orphan-scripts': 'scripts of an earlier sm run on',
  'abort-verified': 'a script counts as gone before it is',
  'sole-mode': "the record's mode is not looked at: a holder without a limit is replaced by time",
  'leased-from-send': 'permission is made finite only when the other one was let in already',
  'word-last': 'a node says that it leaves before it has stopped',
  'word-stands': 'a word that was given is forgotten as soon as it is taken back',
  nonce: 'a compare looks at which keys the register has, not at revision and nonce of what they hold',
  'verify-off': 'what a fence device says of its own success is believed',
  'device-tie': 'a fence device that has the power of another machine is believed',
  'fence-delay': 'both nodes shoot at once',
  'proof-once': 'a proof of death is kept and used again',
  'quiet-since': 'neither a sign of life nor the loss of the record voids a grant',
  'disk-yield': 'who claims a disk looks at nothing any more',
  'one-chooser': 'the node that does not lead chooses too',
  'higher-stays': 'who hears that the other one runs a group too stops it, whatever its number',
  'lone-start': 'who has not heard the peer since its own start replaces it after d, on whatever links',
  'timer-kept': 'timers of the pair are forgotten',
} as const;
export type Break = keyof typeof BREAKS;
export const BREAK_NAMES = Object.keys(BREAKS) as Break[];

export interface ServiceShape {
  readonly name: string;
  /** Has go-active and go-standby: runs as standby on the other node. */
  readonly promotable: boolean;
  /** Holds something that survives a kill of its processes. */
  readonly kernelState: boolean;
  /** A service of the same world that has to be active first; '' = none. */
  readonly after: string;
  /** What its failure means for its group. */
  readonly impact: Severity;
}

export interface GroupShape {
  readonly name: string;
  readonly model: RedundancyModel;
  /** On how many nodes it is active at once: on one, and needs a token, or on two. */
  readonly nActive: 1 | 2;
  readonly mStandby: 0 | 1;
  readonly aggregate: string;
  /** The group beside which alone it may be active (ACTIVE_ONLY_IF_ACTIVE); '' = none. */
  readonly beside: string;
  readonly core: boolean;
  readonly autoRecover: boolean;
  /** FATAL_ERROR_REBOOT. */
  readonly reboots: boolean;
  readonly services: readonly ServiceShape[];
}

/** Active on one node, standby on the other; nothing else is asked of it. */
export const PAIR: Omit<GroupShape, 'name' | 'services'> = {
  model: 'N + M',
  nActive: 1,
  mStandby: 1,
  aggregate: '',
  beside: '',
  core: false,
  autoRecover: false,
  reboots: false,
};

/** Active on every node. */
export const EVERYWHERE: Omit<GroupShape, 'name' | 'services'> = {
  ...PAIR,
  model: 'N',
  nActive: 2,
  mStandby: 0,
};

export interface DomainShape {
  readonly policy: SilencePolicy;
  readonly helloIntervalMs: number;
  readonly deadIntervalMs: number;
  readonly stopBoundMs: number;
  readonly stopGraceMs: number;
  readonly killVerifyMs: number;
  readonly linkDownDetectMs: number;
  readonly mainStallMsMax: number;
  readonly waitIntervalMs: number;
  readonly failureDebounceMs: number;
}

export interface NetworkShape {
  readonly loss: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  readonly duplication: number;
  /** Probability that a second copy of a frame arrives up to 5 s later. */
  readonly lateDuplication: number;
}

/** What decides beside the policy; a world of one node has none. */
export interface ArbiterShape {
  readonly record: 'none' | 'etcd' | 'disk';
  /** Each node can shoot the other. */
  readonly fence: boolean;
  /** Indices of nodes whose fence device has the power of another machine from the beginning. */
  readonly wrong: readonly number[];
  /** Each node asks a router behind each of its links. */
  readonly gateways: boolean;
  /** Share of requests and answers that get lost. */
  readonly loss: number;
  /** One way. */
  readonly delayMaxMs: number;
}

export const NO_ARBITER: ArbiterShape = {
  record: 'none',
  fence: false,
  wrong: [],
  gateways: false,
  loss: 0,
  delayMaxMs: 2,
};

export interface DiskShape {
  readonly commitMsMin: number;
  readonly commitMsMax: number;
}

export interface SimOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly worldClass: WorldClass;
  readonly nodes: readonly string[];
  /** Number of links, 1 to 3, in the order of INTERFACE_ROLES. */
  readonly links: number;
  readonly domain: DomainShape;
  /**
   * What the second node's definitions say otherwise, as halfway through an update; {} = nothing. The fault `redefine` goes
   * on with the update, or takes it back.
   */
  readonly secondDomain: Partial<DomainShape>;
  readonly arbiter: ArbiterShape;
  readonly groups: readonly GroupShape[];
  readonly network: NetworkShape;
  readonly disk: DiskShape;
  /** Rate of each node's clock against true time. */
  readonly clockRates: readonly number[];
  /** A change of a carrier is noticed within so many times `link_down_detect`; more than 1 = outside of the assumptions. */
  readonly carrierLateness: number;
  /** Mean time between two faults of a kind, ms; a kind that is not there does not occur. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly breaks: readonly Break[];
  /** Checkers that are not asked: this world is outside of what they judge. */
  readonly unjudged?: readonly string[];
  /** Of a real domain, instead of those made from the shape. */
  readonly definitions?: DefinitionSet;
  /** How long a script takes, ms; null = drawn, as where nothing is known. */
  readonly scriptMs?: (service: string, action: ServiceAction) => number | null;
}
