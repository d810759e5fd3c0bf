/** `sm-manage`, `sm-unmanage`, `sm-restart`, `sm-restart-safe`, `sm-notify`: orders to one service, with StarlingX's words. */
import { StateReader } from '../shell/store/reader.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { ownDesk } from './desk.ts';
import { EXIT } from './exit-codes.ts';

type Kind = 'manage' | 'unmanage' | 'restart' | 'restart-safe' | 'audit';

/** What StarlingX's tools print; scripts look for it. */
const SAID: Readonly<Record<Kind, string>> = {
  manage: 'is now being managed.',
  unmanage: 'is no longer being managed.',
  restart: 'is restarting.',
  'restart-safe': 'is restarting.',
  audit: 'is audited.',
};

async function order(context: Context, given: Given, kind: Kind, service: string): Promise<Outcome> {
  const known = StateReader.read(given.settings.database, (reader) => reader.service(service));
  if (!known.ok) return failed(known.error);
  if (known.value === undefined) {
    const message = `Given service (${service}) does not exist.`;
    return { exit: EXIT.failed, lines: [message], json: { ok: false, code: 'unknown-name', message } };
  }
  const desk = ownDesk(context, given);
  try {
    const reply = await desk.order({ kind, service, why: text(given, 'why'), forMs: 0 });
    if (!reply.ok) return problem(EXIT.refused, reply.code, reply.message);
    return {
      exit: EXIT.ok,
      lines: [`Service (${service}) ${SAID[kind]}`],
      json: { ok: true, service, kind },
    };
  } catch (error) {
    return desk.problem(error);
  }
}

const tool = (kind: Exclude<Kind, 'audit'>, summary: string): CommandSpec => ({
  name: `sm-${kind}`,
  summary,
  commands: [
    {
      name: 'service',
      summary,
      details: [`It does not wait for what comes of it: smctl ${kind} does.`],
      arguments: [{ syntax: '<service>', text: 'name of a service' }],
      options: [{ flags: '--why <text>', text: 'reason, for the history' }],
      run: (context, given) => order(context, given, kind, given.arguments[0] ?? ''),
    },
  ],
});

export const SM_MANAGE = tool('manage', 'Take up a service again that was left alone');
export const SM_UNMANAGE = tool(
  'unmanage',
  'Leave a service alone: it is neither started, stopped nor audited',
);
export const SM_RESTART = tool('restart', 'Stop and start a service, and what depends on it');
export const SM_RESTART_SAFE = tool('restart-safe', 'Restart a service and leave what depends on it alone');

const EVENTS = ['sync-start', 'sync-end'] as const;

export const SM_NOTIFY: CommandSpec = {
  name: 'sm-notify',
  summary: 'Tell sm that something has happened to a service: it is audited at once',
  details: ['Called by the handlers of DRBD when a synchronization starts or ends.'],
  examples: ['sm-notify -s drbd-pg -e sync-end'],
  options: [
    { flags: '-s, --service <service>', text: 'name of a service' },
    { flags: '-e, --event <event>', text: EVENTS.join(' or ') },
  ],
  run: (context, given) => {
    const [service, event] = [text(given, 'service'), text(given, 'event')];
    if (service === '') return problem(EXIT.usage, 'usage', '--service is missing');
    if (!EVENTS.some((known) => known === event))
      return problem(EXIT.usage, 'usage', `--event takes ${EVENTS.join(' or ')}`);
    const noted = { ...given, options: { ...given.options, why: event } };
    return order(context, noted, 'audit', service).then(quiet);
  },
};

/** Its callers expect nothing on stdout. */
function quiet(outcome: Outcome): Outcome {
  const { lines = [], problems = [], exit } = outcome;
  return exit === EXIT.ok
    ? { ...outcome, lines: [] }
    : { ...outcome, lines: [], problems: [...problems, ...lines] };
}
