/**
 * A command tree as data: commander runs it, and the reference is generated from it. A command returns what it found as
 * text and as one JSON object; printing one of them is done here, at one place.
 */
import { Command, CommanderError } from 'commander';
import type { CodedError } from '../core/kernel/errors.ts';
import { ERRORS } from '../core/kernel/errors.ts';
import type { ProcessFacts } from '../shell/process-facts.ts';
import { EXIT } from './exit-codes.ts';
import type { Paint } from './format.ts';

/** Where the tools find things on this node; every one can be given as an option. */
export interface Paths {
  readonly database: string;
  readonly socket: string;
  readonly keys: string;
}

/** The part of the control client that commands use. */
export interface Daemon {
  request(method: string, params?: object, timeoutMs?: number): Promise<unknown>;
  close(): void;
}

/** Everything a command gets from outside; programs build it, tests make their own. */
export interface Context {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly paint: Paint;
  /** stdout is a terminal that can be redrawn. */
  readonly terminal: boolean;
  readonly paths: Paths;
  /** Who asks, for the history. */
  readonly actor: string;
  readonly wallMs: () => number;
  readonly connect: (socket: string) => Promise<Daemon>;
  readonly processOf: (pidFile: string) => ProcessFacts;
  /** Ends early when the user stops the tool. */
  readonly pause: (ms: number) => Promise<void>;
  readonly stopped: () => boolean;
}

/** `lines` go to stdout, `problems` to stderr; with --json `json` is the last line of stdout instead. */
export interface Outcome {
  readonly exit: number;
  readonly lines?: readonly string[];
  readonly problems?: readonly string[];
  readonly json: object;
}

export interface Given {
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ArgumentSpec {
  /** commander's syntax: `<name>`, `[name]`, `<name...>`. */
  readonly syntax: string;
  readonly text: string;
}

export interface OptionSpec {
  /** commander's syntax: `--for <duration>`. */
  readonly flags: string;
  readonly text: string;
  readonly fallback?: string;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly details?: readonly string[];
  readonly examples?: readonly string[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly commands?: readonly CommandSpec[];
  readonly run?: (context: Context, given: Given) => Promise<Outcome> | Outcome;
}

export const JSON_OPTION: OptionSpec = { flags: '--json', text: 'one line of JSON instead of text' };
export const DATABASE_OPTION: OptionSpec = { flags: '--database <path>', text: 'another database file' };
export const SOCKET_OPTION: OptionSpec = { flags: '--socket <path>', text: 'another control socket of sm' };

/** A failure in sm's own words and codes. */
export function failed(error: CodedError): Outcome {
  return problem(ERRORS[error.code].exitCode, error.code, error.message);
}

export function problem(exit: number, code: string, message: string): Outcome {
  return { exit, problems: [message], json: { ok: false, code, message } };
}

/** Parses the words after the program's name, runs one command, prints its outcome. */
export async function execute(
  spec: CommandSpec,
  words: readonly string[],
  context: Context,
): Promise<number> {
  let exit: number = EXIT.ok;
  const program = build(spec, context, async (command, given) => {
    const outcome = await command(context, given);
    exit = outcome.exit;
    print(outcome, given.options.json === true, context);
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exit;
}

type Run = (command: NonNullable<CommandSpec['run']>, given: Given) => Promise<void>;

function build(spec: CommandSpec, context: Context, run: Run): Command {
  const command = new Command(spec.name)
    .summary(spec.summary)
    .description([`${spec.summary}.`, ...(spec.details ?? [])].join('\n'))
    .exitOverride()
    .showHelpAfterError(`(${spec.name} --help tells more)`)
    .configureOutput({
      writeOut: (text) => context.out(text.replace(/\n$/, '')),
      writeErr: (text) => context.err(text.replace(/\n$/, '')),
    });
  for (const argument of spec.arguments ?? []) command.argument(argument.syntax, argument.text);
  for (const option of spec.options ?? []) command.option(option.flags, option.text, option.fallback);
  if ((spec.examples ?? []).length > 0)
    command.addHelpText(
      'after',
      `\nExamples:\n${(spec.examples ?? []).map((line) => `  ${line}`).join('\n')}`,
    );
  for (const sub of spec.commands ?? []) command.addCommand(build(sub, context, run));
  const work = spec.run;
  if (work !== undefined)
    command.action(() => run(work, { arguments: command.args, options: command.opts() }));
  return command;
}

function print(outcome: Outcome, json: boolean, context: Context): void {
  for (const line of outcome.problems ?? []) context.err(line);
  if (json) context.out(JSON.stringify(outcome.json));
  else for (const line of outcome.lines ?? []) context.out(line);
}

/** The text of an option, or the fallback. */
export function text(given: Given, name: string, fallback = ''): string {
  const value = given.options[name];
  return typeof value === 'string' ? value : fallback;
}
