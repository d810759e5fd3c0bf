/** The tables of README.md and docs/BENCH.md, made of what `make bench` and `make bench-peers` printed. */
import type { Result } from './result.ts';

/** The last line of either. */
export interface Report {
  readonly program: 'bench' | 'bench-peers';
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly kernel: string;
    readonly node: string;
    readonly load: number;
    readonly loadAtEnd: number;
  };
  readonly results: readonly Result[];
}

const PROGRAMS = ['bench', 'bench-peers'] as const;

/** Throws when the text does not end with the line of a run that went well. */
export function readReport(text: string): Report {
  const line = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown> & Report;
  const program = PROGRAMS.find((name) => line[name] === 'ok');
  if (program === undefined) throw new Error('the last line tells of no run that went well');
  return { ...line, program };
}

/** When and where. */
export function provenance({ date, machine }: Report): string {
  const { cpu, cores, memoryGb, kernel, node, load, loadAtEnd } = machine;
  const linux = kernel.split('.').slice(0, 2).join('.');
  const busy = load > cores ? ' **Other work ran on the same cores**: the figures are indicative.' : '';
  return `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${linux}, Node ${node.slice(1)}; load average ${load.toFixed(1)} before, ${loadAtEnd.toFixed(1)} at the end.${busy}`;
}

/** One row for each figure of `make bench`. */
export function benchTable({ results }: Report): string {
  const rows = results.map((result) => {
    const { name, unit, target, beside } = result;
    const other = beside === undefined ? '' : `, ${beside.ratio} x plain`;
    return [`\`${name}\``, unit, target === null ? '' : String(target), `${cell(result)}${other}`];
  });
  return table(['Name', 'Unit', 'Target', 'Median [least..greatest]'], rows);
}

/** What README.md tells of `make bench`, in the words of somebody who wants to use it. */
const SPEED: readonly (readonly [figure: string, words: string])[] = [
  ['failover', 'the active node loses its power → the last of 5 services is active, 200/800, S 300'],
  ['failover-fast-100', 'the same at the fastest timing of hello 100, 100/430, S 150'],
  ['swact-5', 'planned switch-over of 5 services'],
  ['swact-50', 'of 50 in 10 groups'],
  ['swact-200', 'of 200 in 40 groups'],
  ['swact-5-of-bound', '5 services: share of what the scripts themselves need + 20 % + 60 ms'],
  ['swact-50-of-bound', '50 services: the same'],
  ['swact-200-of-bound', '200 services: the same'],
  ['restart', 'a service’s process dies → it runs again'],
  ['restart-cpu', 'what watching for that costs'],
  ['start-together', 'both nodes are switched on → all active'],
  ['start-alone', 'one node is switched on, after `wait_interval` → all active'],
  ['cold-starts', '100 starts of both at once: how often both were active'],
  ['cuts', 'a link cut and restored 10 times: events on services'],
  ['loss', '30 % loss on all links for 3 minutes, 200/800: events'],
  ['loss-fast-100', 'the same, 100/430'],
  ['idle-cpu-demo', 'nothing happens: `sm` and `sm-watchdog`, the demo’s set'],
  ['idle-cpu-starlingx', 'the same, StarlingX’s set'],
  ['rss-sm-starlingx', 'resident memory of `sm`, StarlingX’s set'],
  ['rss-sm-watchdog-starlingx', 'of `sm-watchdog`'],
  ['load-1000', '1,000 services in 50 groups are loaded'],
  ['api-request', 'a request of 200 connections at once to `sm-api`'],
];

/** One row for each figure of `make bench` that a user would ask for. */
export function speedTable({ results }: Report): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const rows = SPEED.flatMap(([figure, words]) => {
    const result = byName.get(figure);
    if (result === undefined) return [];
    const { unit, target, median } = result;
    const limit = target === null ? '' : `${target}${median > target ? ' (missed)' : ''}`;
    return [[words, `${cell(result)} ${unit}`, limit]];
  });
  return table(['', 'Median [least..greatest]', 'Target'], rows);
}

/** Names of the contenders in the order of the columns, with their headings. */
const COLUMNS: readonly (readonly [contender: string, heading: (facts: Result['facts']) => string])[] = [
  ['sm', (facts) => `sm ${facts?.hello}/${facts?.dead}`],
  ['sm-fast', (facts) => `sm ${facts?.hello}/${facts?.dead}`],
  ['pacemaker', () => 'Pacemaker'],
  ['pacemaker-token-1000', () => 'Pacemaker, token 1000'],
  ['keepalived-1000ms', () => 'keepalived 1 s'],
  ['keepalived-100ms', () => 'keepalived 0.1 s'],
];

const ROWS: readonly (readonly [figure: string, words: string])[] = [
  ['node-death', 'the active node loses its power → all run on the other, ms'],
  ['switch-over', 'planned switch-over → all run on the other, ms'],
  ['restart', 'a service’s process is killed → it runs again, ms'],
  ['start', 'both nodes are switched on → all run, ms'],
  ['fifty-node-death', '50 services in 10 groups: loss of power, ms'],
  ['fifty-switch-over', '50 services in 10 groups: planned switch-over, ms'],
  ['idle-cpu', 'nothing happens: share of a core on each node, %'],
  ['idle-rss', 'nothing happens: resident memory on each node, MB'],
];

/** One row for each figure of `make bench-peers`, one column for each manager. */
export function peersTable({ results }: Report): string {
  const byName = new Map(results.map((result) => [result.name, result]));
  const columns = COLUMNS.filter(([contender]) => byName.has(`node-death.${contender}`));
  const heads = columns.map(([contender, heading]) => heading(byName.get(`node-death.${contender}`)?.facts));
  const rows = ROWS.filter(([figure]) => byName.has(`${figure}.sm`)).map(([figure, words]) => [
    words,
    ...columns.map(([contender]) => {
      const result = byName.get(`${figure}.${contender}`);
      return result === undefined || isSpoilt(figure, result) ? '' : cell(result);
    }),
  ]);
  const both = columns.map(([contender]) =>
    String(byName.get(`node-death.${contender}`)?.facts?.bothActiveMs),
  );
  return table(['5 services', ...heads], [...rows, ['both active meanwhile, ms', ...both]]);
}

/** It started faster than it does by itself, so that the other figures of its run come sooner. */
function isSpoilt(figure: string, { facts }: Result): boolean {
  return figure === 'start' && typeof facts?.deadTimeSeconds === 'number';
}

function cell({ median, spread: [least, greatest], n }: Result): string {
  return n === 1 || least === greatest ? String(median) : `${median} [${least}..${greatest}]`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `text` with `content` between its marks `<!-- NAME:begin -->` and `<!-- NAME:end -->`. Throws where there are none. */
export function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->\n`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`there is no place for ${name}`);
  return `${text.slice(0, from + begin.length)}${content}\n${text.slice(to)}`;
}
