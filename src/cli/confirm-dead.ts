/** `smctl confirm-dead`: an operator's word that the silent node is dead. Wrong, it lets both nodes act: asked for twice. */
import { type CommandSpec, type Context, type Given, type Outcome, problem, text } from './command.ts';
import { controlProblem } from './daemon.ts';
import { ownDesk, type Reply } from './desk.ts';
import { EXIT } from './exit-codes.ts';

export const CONFIRM_DEAD: CommandSpec = {
  name: 'confirm-dead',
  summary: 'Say that the silent node is dead, so that this one may act in its place',
  details: [
    'Your word replaces a proof. If that node lives, both act at once, and data can be damaged: first make sure that it has no',
    'power, at its power supply or with your own eyes. Refused while it is heard; void as soon as it is; good for one take-over.',
    'The name is typed twice: here and at the question, or with --yes where nobody can be asked.',
  ],
  examples: ['smctl confirm-dead controller-1 --why "unplugged it, ticket 4711"'],
  arguments: [{ syntax: '<node>', text: 'name of the silent node' }],
  options: [
    { flags: '--yes <node>', text: 'the same name again, instead of the question' },
    { flags: '--why <text>', text: 'how you know; for the history, and needed' },
  ],
  run: (context, given) => confirm(context, given, (command) => ownDesk(context, given).order(command)),
  remote: (context, given, rest) =>
    confirm(context, given, async ({ kind, node, again, why }) => {
      const accepted = await rest.call('confirmDead', { params: { key: node }, body: { kind, again, why } });
      return { ok: true, code: '', ...accepted };
    }),
};

interface Confirmation {
  readonly kind: 'confirm-dead';
  readonly node: string;
  readonly again: string;
  readonly why: string;
}

/** @param order hands it to `sm`, here or from afar */
async function confirm(
  context: Context,
  given: Given,
  order: (command: Confirmation) => Promise<Reply>,
): Promise<Outcome> {
  const node = given.arguments[0] ?? '';
  const why = text(given, 'why');
  if (why === '') return problem(EXIT.usage, 'usage', '--why is needed: say how you know that it is dead');
  const again = given.options.yes === undefined ? await ask(context, node) : text(given, 'yes');
  if (again === null)
    return problem(EXIT.usage, 'usage', `there is nobody to ask: type the name again, --yes ${node}`);
  if (again !== node)
    return problem(EXIT.refused, 'not-confirmed', `"${again}" is not ${node}: nothing was done`);
  try {
    const reply = await order({ kind: 'confirm-dead', node, again, why });
    if (!reply.ok) return problem(EXIT.refused, reply.code, reply.message);
    return { exit: EXIT.ok, lines: [reply.message], json: { ...reply } };
  } catch (error) {
    return controlProblem(error);
  }
}

/** null = there is nobody. */
function ask(context: Context, node: string): Promise<string | null> {
  context.err(`If ${node} is alive, both nodes will act at once, and data can be damaged.`);
  context.err('Has it really no power? A node that does not answer may still run its services.');
  return context.ask(`Type its name again: `);
}
