/** Many seeds together: what is asked of a worker, what it answers, and what it all amounts to. */
import type { Severity } from '../core/kernel/names.ts';
import type { Break, GroupShape, SimOptions, WorldClass } from './options.ts';
import { Digest } from './prng.ts';
import type { SeedResult } from './run.ts';

export interface CampaignRequest {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly minutes: number;
  readonly worldClass: WorldClass;
  readonly breaks: readonly Break[];
  readonly hmac: boolean;
  readonly workers: number;
}

/** A finding, with the command that shows it again. */
export interface Finding {
  readonly seed: number;
  readonly checker: string;
  readonly atMs: number;
  readonly node: string;
  readonly group: string;
  readonly text: string;
  readonly replay: string;
}

export interface CampaignSummary {
  readonly violations: number;
  readonly unconverged: number;
  /** Simulated seconds per second of one worker. */
  readonly speed: number;
  readonly digest: string;
  readonly seeds: number;
  readonly simulatedMinutes: number;
  readonly workers: number;
  readonly convergedMsMax: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

const FINDINGS_MAX = 20;
const PROGRESS_SECONDS = 30;

/** Tells how far a long campaign is, about twice a minute of real time. */
export class CampaignProgress {
  readonly #request: CampaignRequest;
  #done = 0;
  #findings = 0;
  #toldAt = 0;

  constructor(request: CampaignRequest) {
    this.#request = request;
  }

  /** What there is to say after one more seed, `wallSeconds` after the start; '' = nothing yet. */
  after(result: SeedResult, wallSeconds: number): string {
    this.#done += 1;
    this.#findings += findingsOf(this.#request, result).length;
    if (wallSeconds - this.#toldAt < PROGRESS_SECONDS) return '';
    this.#toldAt = wallSeconds;
    const { seeds } = this.#request;
    const left = Math.ceil(((wallSeconds / this.#done) * (seeds - this.#done)) / 60);
    return `${this.#done} of ${seeds} seeds, ${this.#findings} findings, about ${left} min left`;
  }
}

/** The results in the order of their seeds, whoever computed them, so that the digest does not know of workers. */
export function summarize(
  request: CampaignRequest,
  results: readonly SeedResult[],
  wallSeconds: number,
): CampaignSummary {
  const ordered = [...results].sort((a, b) => a.seed - b.seed);
  const digest = new Digest();
  const faults = new Map<string, number>();
  let simulatedMs = 0;
  for (const result of ordered) {
    digest.add(`${result.seed} ${result.digest}`);
    simulatedMs += result.simulatedMs;
    for (const [kind, count] of result.counts) faults.set(kind, (faults.get(kind) ?? 0) + count);
  }
  const findings = ordered.flatMap((result) => findingsOf(request, result));
  return {
    violations: ordered.reduce((sum, { violations }) => sum + violations.length, 0),
    unconverged: ordered.filter(({ unconverged }) => unconverged !== '').length,
    speed: Math.round(simulatedMs / 1000 / (wallSeconds * request.workers)),
    digest: digest.toString(),
    seeds: ordered.length,
    simulatedMinutes: Math.round(simulatedMs / 60_000),
    workers: request.workers,
    convergedMsMax: Math.max(0, ...ordered.map(({ convergedMs }) => Math.round(convergedMs))),
    faults: Object.fromEntries([...faults].sort(([a], [b]) => (a < b ? -1 : 1))),
    findings: findings.slice(0, FINDINGS_MAX),
  };
}

export function findingsOf(request: CampaignRequest, result: SeedResult): Finding[] {
  const replay = replayCommand(request, result.seed);
  const { seed } = result;
  const found = result.violations.map(({ checker, atMs, node, group, text }) => ({
    seed,
    checker,
    atMs: Math.round(atMs),
    node,
    group,
    text,
    replay,
  }));
  if (result.unconverged === '') return found;
  const atMs = Math.round(result.simulatedMs);
  return [
    ...found,
    { seed, checker: 'converged', atMs, node: '', group: '', text: result.unconverged, replay },
  ];
}

export function replayCommand(request: CampaignRequest, seed: number): string {
  const words = [`npx sm-sim replay --seed ${seed} --minutes ${request.minutes}`];
  if (request.worldClass !== 'default') words.push(`--class ${request.worldClass}`);
  for (const name of request.breaks) words.push(`--break ${name}`);
  if (request.hmac) words.push('--hmac');
  return words.join(' ');
}

function arbiterText({ arbiter, domain }: SimOptions): string {
  const { record, fence, loss, delayMaxMs } = arbiter;
  if (record === 'none') return fence ? 'fence' : domain.policy;
  return `${record}${fence ? ' and fence' : ''}, loses ${loss}, late by ${delayMaxMs}`;
}

const IMPACT_MARKS: Readonly<Record<Severity, string>> = {
  critical: '',
  major: '-',
  minor: '--',
  none: '---',
};

/** `N+M1/1*(p sk-)`: counts, aggregate, services; promotable or simple, kernel state, and how little a failure means. */
function groupText({ model, nActive, mStandby, services, aggregate, beside, ...marks }: GroupShape): string {
  const shapes = services.map(
    ({ promotable, kernelState, impact }) =>
      (promotable ? 'p' : 's') + (kernelState ? 'k' : '') + IMPACT_MARKS[impact],
  );
  const words = [
    beside === '' ? '' : ` beside ${beside}`,
    marks.core ? ' core' : '',
    marks.autoRecover ? ' recovers' : '',
    marks.reboots ? ' reboots' : '',
  ];
  const counts = `${model.replaceAll(' ', '')}${nActive}/${mStandby}${aggregate === '' ? '' : '*'}`;
  return `${counts}(${shapes.join(' ')}${words.join('')})`;
}

/** The drawn options in one line. */
export function describeOptions(options: SimOptions): string {
  const { domain, groups, network, nodes, clockRates } = options;
  const shapes = groups.map(groupText);
  const faults = Object.entries(options.faults).map(
    ([kind, ms]) => `${kind}/${Math.round((ms ?? 0) / 1000)}s`,
  );
  return [
    `seed ${options.seed}:`,
    nodes.length === 1 ? 'simplex' : `${options.links} links`,
    arbiterText(options),
    `hello ${domain.helloIntervalMs} d ${domain.deadIntervalMs} S ${domain.stopBoundMs}`,
    `groups ${shapes.join(' ')}`,
    `loss ${network.loss} delay ${network.delayMaxMs}`,
    `clocks ${clockRates.map((rate) => rate.toFixed(3)).join(' ')}`,
    `faults ${faults.join(' ') || 'none'}`,
  ].join('; ');
}
