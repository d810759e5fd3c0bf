/** smctl explain: why something is so, what it waits for, and what would end it. */
import { EXPLAINED, type Explained, explain } from '../core/explain.ts';
import { StateReader } from '../shell/store/reader.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome, problem } from './command.ts';
import { isAway, readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { time } from './format.ts';
import type { Rest } from './rest.ts';

/** Events shown of something whose reasons nobody can tell. */
const LAST_EVENTS = 5;

export const EXPLAIN: CommandSpec = {
  name: 'explain',
  summary: 'Tell why a service, group, node or the daemon is as it is, and what it waits for',
  details: [
    'The nearest cause comes first. While sm is away, the last events are shown instead (exit code 4).',
  ],
  arguments: [
    { syntax: '<kind>', text: `${EXPLAINED.join(', ')}`, complete: EXPLAINED },
    { syntax: '[name]', text: 'name of it; left out for node: this node', complete: 'named-before' },
  ],
  examples: ['smctl explain service nginx', 'smctl explain node'],
  run: explainOne,
  remote: explainAfar,
};

/** What is asked about, or why nobody could answer. `name` is empty for this node. */
function asked(given: Given): { readonly kind: Explained; readonly name: string } | Outcome {
  const [word = '', name = ''] = given.arguments;
  const kind = EXPLAINED.find((known) => known === word);
  if (kind === undefined)
    return problem(EXIT.usage, 'usage', `'${word}' can not be explained; one of ${EXPLAINED.join(', ')} can`);
  if (name === '' && (kind === 'service' || kind === 'group'))
    return problem(EXIT.usage, 'usage', `which ${kind}? Give its name`);
  return { kind, name };
}

async function explainAfar(_context: Context, given: Given, rest: Rest): Promise<Outcome> {
  const question = asked(given);
  if ('exit' in question) return question;
  const { kind } = question;
  const name = question.name === '' ? (await rest.call('getStatus', {})).node : question.name;
  const { sentences } = await rest.call('explain', { params: { kind, name } });
  return { exit: EXIT.ok, lines: sentences, json: { ok: true, kind, name, reasons: sentences } };
}

async function explainOne(context: Context, given: Given): Promise<Outcome> {
  const question = asked(given);
  if ('exit' in question) return question;
  const { kind, name } = question;
  try {
    const view = await withDaemon(context, given, readView);
    const subject = name === '' ? view.node : name;
    const lines = explain(view, kind, subject, context.wallMs());
    if (lines.length === 0)
      return problem(EXIT.failed, 'unknown-name', `this node has no ${kind} ${subject}`);
    return { exit: EXIT.ok, lines, json: { ok: true, kind, name: subject, reasons: lines } };
  } catch (error) {
    if (!isAway(error)) throw error;
    return lastKnown(given, kind, name, error.message);
  }
}

function lastKnown(given: Given, kind: Explained, name: string, reason: string): Outcome {
  const read = StateReader.read(given.settings.database, (reader) => ({
    row:
      kind === 'service'
        ? reader.service(name)
        : kind === 'group'
          ? reader.groups().find((group) => group.name === name)
          : undefined,
    events: reader.events({ entity: kind === 'daemon' ? 'daemon' : name, limit: LAST_EVENTS }),
  }));
  if (!read.ok) return { ...failed(read.error), exit: EXIT.away, problems: [reason, read.error.message] };
  const { row, events } = read.value;
  const lines = row === undefined ? [] : [`${name} was ${row.state}, ${row.desired} was wanted.`];
  lines.push(
    ...events.map(
      (event) =>
        `${time(event.wallMs)} ${event.name} ${event.from} -> ${event.to}: ${event.cause} ${event.reason}`,
    ),
  );
  return {
    exit: EXIT.away,
    lines,
    problems: [`${reason}. Only the running sm knows reasons; this is the last that it wrote down:`],
    json: { ok: false, code: 'not-running', message: reason, kind, name, last_known: lines },
  };
}
