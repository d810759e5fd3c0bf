/** sm-dump: the groups and services of this node, read from the database. */
import { stringify } from 'yaml';
import { explain } from '../core/explain.ts';
import type { EngineView } from '../core/view.ts';
import { StateReader } from '../shell/store/reader.ts';
import { mostSevereFirst } from '../shell/store/status.ts';
import { alarmLines } from './alarms.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { controlProblem, isAway, readView, withDaemon } from './daemon.ts';
import { type DumpedService, type DumpFlags, dumpLines } from './dump-layout.ts';
import { EXIT } from './exit-codes.ts';
import { parseDuration, time } from './format.ts';

const WATCH_MS_MIN = 100;

export const SM_DUMP: CommandSpec = {
  name: 'sm-dump',
  summary: 'Show the service groups and services of this node',
  details: [
    'The text has the columns that StarlingX operators and scripts know, trailing blanks and the shorter last line',
    'included; it works while sm is down. The optional columns have no separator. Only --explain asks sm.',
  ],
  options: [
    { flags: '--verbose', text: 'also the condition' },
    { flags: '--impact', text: "also what a service's failure means to its group" },
    { flags: '--pid', text: 'also the pid in the pid file' },
    { flags: '--pn', text: 'also the name of that process' },
    { flags: '--pid_file', text: 'also the pid file' },
    { flags: '--alarms', text: 'also the alarms that stood last, the most severe first' },
    { flags: '--explain', text: 'also why each is so and what it waits for (asks sm)' },
    { flags: '--watch [period]', text: 'again after every change, looked for every period (default 1s)' },
    { flags: '--yaml', text: 'YAML instead of text' },
  ],
  run: (context, given) => (given.options.watch === undefined ? dump(context, given) : watch(context, given)),
};

async function watch(context: Context, given: Given): Promise<Outcome> {
  const period = parseDuration(text(given, 'watch', '1s'));
  if (period === null || period < WATCH_MS_MIN)
    return problem(EXIT.usage, 'usage', `--watch takes a period of at least ${WATCH_MS_MIN}ms, like 1s`);
  let shown = '';
  while (!context.stopped()) {
    const outcome = await dump(context, given);
    if (outcome.exit === EXIT.store) return outcome;
    const page =
      given.options.json === true ? JSON.stringify(outcome.json) : (outcome.lines ?? []).join('\n');
    if (page !== shown) context.out(context.terminal ? `\u001b[H\u001b[2J${page}` : page);
    shown = page;
    await context.pause(period);
  }
  return { exit: EXIT.ok, json: { ok: true } };
}

async function dump(context: Context, given: Given): Promise<Outcome> {
  const read = StateReader.read(given.settings.database, (reader) => ({
    groups: reader.groups(),
    rows: reader.services(),
    alarms: mostSevereFirst(reader.alarms()),
  }));
  if (!read.ok) return failed(read.error);
  const { groups, rows, alarms } = read.value;
  const flags = flagsOf(given);
  const wantsProcess = flags.pid || flags.pn || given.options.json === true || given.options.yaml === true;
  const services: DumpedService[] = rows.map((row) => ({
    ...row,
    process: wantsProcess ? context.processOf(row.pidFile) : { pid: null, name: '' },
  }));
  const reasons = given.options.explain === true ? await reasonsOf(context, given) : null;
  const json = {
    groups: groups.map((group) => ({ ...states(group), ...reasons?.of('group', group.name) })),
    services: services.map((service) => ({
      ...states(service),
      group: service.group,
      impact: service.impact,
      pid_file: service.pidFile,
      pid: service.process.pid,
      process: service.process.name,
      ...reasons?.of('service', service.name),
    })),
    alarms: alarms.map(({ raisedAt, ...alarm }) => ({ ...alarm, since: time(raisedAt) })),
  };
  const standing =
    given.options.alarms === true
      ? ['', '-Alarms', ...(alarms.length === 0 ? ['none'] : alarmLines(alarms, context))]
      : [];
  const lines =
    given.options.yaml === true
      ? stringify(json).trimEnd().split('\n')
      : [...dumpLines(groups, services, flags), ...standing, ...(reasons?.lines(groups, services) ?? [])];
  return { exit: reasons?.exit ?? EXIT.ok, lines, problems: reasons?.problems ?? [], json };
}

function states(row: { name: string; desired: string; state: string; status: string; condition: string }) {
  return {
    name: row.name,
    desired_state: row.desired,
    state: row.state,
    status: row.status,
    condition: row.condition,
  };
}

function flagsOf(given: Given): DumpFlags {
  const { options } = given;
  return {
    verbose: options.verbose === true,
    impact: options.impact === true,
    pid: options.pid === true,
    pn: options.pn === true,
    pidFile: options.pid_file === true,
  };
}

interface Reasons {
  readonly exit: number;
  readonly problems: readonly string[];
  of(kind: 'group' | 'service', name: string): { reasons?: string[] };
  lines(groups: readonly { name: string }[], services: readonly { name: string }[]): string[];
}

/** Reasons live in the engine, not in the database: without `sm` there is the state, but not its why. */
async function reasonsOf(context: Context, given: Given): Promise<Reasons> {
  try {
    return reasonsFrom(await withDaemon(context, given, readView), context.wallMs());
  } catch (error) {
    if (!isAway(error)) throw error;
    const { exit, problems = [] } = controlProblem(error);
    return {
      exit,
      problems: [...problems, 'No reasons: only the running sm knows them.'],
      of: () => ({}),
      lines: () => [],
    };
  }
}

function reasonsFrom(view: EngineView, wallMs: number): Reasons {
  const section = (kind: 'group' | 'service', rows: readonly { name: string }[]): string[] =>
    rows.flatMap(({ name }) =>
      explain(view, kind, name, wallMs).map((line, index) => `${index === 0 ? '' : '  '}${line}`),
    );
  return {
    exit: EXIT.ok,
    problems: [],
    of: (kind, name) => ({ reasons: explain(view, kind, name, wallMs) }),
    lines: (groups, services) => [
      '',
      '-Reasons',
      ...section('group', groups),
      ...section('service', services),
    ],
  };
}
