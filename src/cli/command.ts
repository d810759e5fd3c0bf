/**
 * A command tree as data: commander runs it, and the reference is generated from it. A command returns what it found as
 * text and as one JSON object; printing one of them is done here, at one place.
 */
import { Command, CommanderError, Option } from 'commander';
import type { CodedError, Result } from '../core/kernel/errors.ts';
import { ERRORS } from '../core/kernel/errors.ts';
import type { PluginType } from '../core/kernel/names.ts';
import type { Config } from '../shell/config.ts';
import type { ProcessFacts } from '../shell/process-facts.ts';
import type { Completed } from './complete.ts';
import { EXIT } from './exit-codes.ts';
import type { Paint } from './format.ts';
import { readRestOptions } from './remote-options.ts';
import { type Rest, RestError, type RestOptions } from './rest.ts';

/** What the tools need of this node's configuration, unless an option says otherwise. */
export type Settings = Pick<
  Config,
  | 'node'
  | 'database'
  | 'controlSocket'
  | 'keysDirectory'
  | 'runDirectory'
  | 'lsbDirectory'
  | 'ocfRoot'
  | 'log'
  | 'trace'
  | 'api'
>;

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
  /** From that configuration file; null = the usual one, or its defaults where there is none. */
  readonly settings: (config: string | null) => Result<Settings>;
  /** The file that those settings are from, whether it is there or not. */
  readonly configurationPath: (config: string | null) => string;
  /** Who asks, for the history. */
  readonly actor: string;
  readonly wallMs: () => number;
  readonly connect: (socket: string) => Promise<Daemon>;
  /** The REST server of a node that is not this one. */
  readonly rest: (options: RestOptions) => Rest;
  /** A variable of the environment; '' = it is not set. */
  readonly environment: (name: string) => string;
  readonly processOf: (pidFile: string) => ProcessFacts;
  /** Why a script can not be run on this node, as a sentence; null = it can. */
  readonly scriptProblem: (
    settings: Settings,
    type: PluginType,
    pluginClass: string,
    name: string,
  ) => string | null;
  /** Ends early when the user stops the tool. */
  readonly pause: (ms: number) => Promise<void>;
  readonly stopped: () => boolean;
  /** A line that the user types at the terminal; null = there is none, or the user stopped the tool. */
  readonly ask: (question: string) => Promise<string | null>;
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
  readonly settings: Settings;
  /** `problem`: why it can not be used; '' = it can. Only a command of `anyConfiguration` meets one. */
  readonly configuration: { readonly path: string; readonly problem: string };
}

export interface ArgumentSpec {
  /** commander's syntax: `<name>`, `[name]`, `<name...>`. */
  readonly syntax: string;
  readonly text: string;
  /**
   * What the shell offers: names of this node, files, exactly these words, or names of the kind that the argument before
   * this one names. Left out: names of the kind in `syntax`, if there is one.
   */
  readonly complete?: Completed | 'path' | 'named-before' | readonly string[];
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
  /** It runs with the defaults where the configuration can not be used. */
  readonly anyConfiguration?: true;
  /** An argument may be empty: it means that there is none. */
  readonly emptyArguments?: true;
  /** For programs, not for people: no help and no reference names it. */
  readonly hidden?: true;
  readonly run?: (context: Context, given: Given) => Promise<Outcome> | Outcome;
  /** The same with --url, by REST. Left out: it needs the node. */
  readonly remote?: (context: Context, given: Given, rest: Rest) => Promise<Outcome>;
}

/** What every command takes. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { flags: '--json', text: 'one line of JSON, the last of stdout, instead of text' },
  { flags: '--config <path>', text: 'another configuration than /etc/sm/sm.yaml (also SM_CONFIG)' },
  { flags: '--database <path>', text: 'another database than the configured one' },
  { flags: '--socket <path>', text: 'another control socket of sm than the configured one' },
];

/** What every command takes that can be given from afar. */
export const REMOTE_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--url <address>',
    text: 'ask the REST server there (https://controller:7777), and not this node',
  },
  { flags: '--token-file <file>', text: 'file with the token, mode 0600; without it SM_TOKEN' },
  { flags: '--ca <file>', text: "authority of the server's certificate, PEM" },
  { flags: '--cert <file>', text: 'certificate to prove oneself with instead of a token, PEM' },
  { flags: '--key <file>', text: 'its private key, PEM, mode 0600' },
];

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
  const program = build(spec, spec.name, context, async (command, work, words, options) => {
    // Most likely an unset variable of a script: it must not come to mean this node, or everything.
    const outcome =
      words.includes('') && command.emptyArguments !== true
        ? problem(EXIT.usage, 'usage', 'an argument is empty; leave it out, or give the name')
        : await start(command, work, words, options, context);
    exit = outcome.exit;
    print(outcome, options.json === true, context);
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return exit;
}

type Work = NonNullable<CommandSpec['run']>;
type Options = Given['options'];
type Run = (spec: CommandSpec, work: Work, words: readonly string[], options: Options) => Promise<void>;

async function start(
  spec: CommandSpec,
  work: Work,
  words: readonly string[],
  options: Options,
  context: Context,
): Promise<Outcome> {
  const option = (name: string): string | null => (typeof options[name] === 'string' ? options[name] : null);
  const afar = REMOTE_NAMES.filter((name) => option(name) !== null);
  if (afar.length > 0) return startRemote(spec, words, options, context);
  const configured = context.settings(option('config'));
  const usable = configured.ok || spec.anyConfiguration !== true ? configured : context.settings(DEFAULTS);
  if (!usable.ok) return failed(usable.error);
  const settings = {
    ...usable.value,
    database: option('database') ?? usable.value.database,
    controlSocket: option('socket') ?? usable.value.controlSocket,
  };
  const path = context.configurationPath(option('config'));
  const configuration = { path, problem: configured.ok ? '' : configured.error.message };
  return await work(context, { arguments: words, options, settings, configuration });
}

const REMOTE_NAMES = ['url', 'tokenFile', 'ca', 'cert', 'key'] as const;
const LOCAL_NAMES = ['config', 'database', 'socket'] as const;

async function startRemote(
  spec: CommandSpec,
  words: readonly string[],
  options: Options,
  context: Context,
): Promise<Outcome> {
  if (options.url === undefined)
    return problem(EXIT.usage, 'usage', '--token-file, --ca, --cert and --key go with --url');
  if (spec.remote === undefined)
    return problem(
      EXIT.usage,
      'needs-node',
      `${spec.name} needs the node itself: run it there, without --url`,
    );
  const local = LOCAL_NAMES.find((name) => options[name] !== undefined);
  if (local !== undefined)
    return problem(EXIT.usage, 'usage', `--${local} is about this node: it does not go with --url`);
  const read = readRestOptions(options, context.environment('SM_TOKEN'));
  if (typeof read === 'string') return problem(EXIT.usage, 'usage', read);
  const settings = context.settings(DEFAULTS);
  if (!settings.ok) return failed(settings.error);
  const configuration = { path: DEFAULTS, problem: '' };
  const given = { arguments: words, options, settings: settings.value, configuration };
  try {
    return await spec.remote(context, given, context.rest(read));
  } catch (error) {
    if (error instanceof RestError) return problem(error.exit, error.code, error.message);
    throw error;
  }
}

/** An empty configuration. */
const DEFAULTS = '/dev/null';

/** `path`: the words with which the user comes to it. */
function build(spec: CommandSpec, path: string, context: Context, run: Run): Command {
  const command = new Command(spec.name)
    .summary(spec.summary)
    .description([`${spec.summary}.`, ...(spec.details ?? [])].join('\n'))
    .exitOverride()
    .showHelpAfterError(`(${path} --help tells more)`)
    .configureOutput({
      writeOut: (text) => context.out(text.replace(/\n$/, '')),
      writeErr: (text) => context.err(text.replace(/\n$/, '')),
    });
  for (const argument of spec.arguments ?? []) command.argument(argument.syntax, argument.text);
  for (const option of optionsOf(spec)) command.option(option.flags, option.text, option.fallback);
  // A command that needs the node says so itself.
  if (spec.run !== undefined && spec.remote === undefined)
    for (const { flags } of REMOTE_OPTIONS) command.addOption(new Option(flags).hideHelp());
  if ((spec.examples ?? []).length > 0)
    command.addHelpText(
      'after',
      `\nExamples:\n${(spec.examples ?? []).map((line) => `  ${line}`).join('\n')}`,
    );
  for (const sub of spec.commands ?? [])
    command.addCommand(build(sub, `${path} ${sub.name}`, context, run), { hidden: sub.hidden === true });
  const work = spec.run;
  if (work !== undefined) command.action(() => run(spec, work, command.args, command.opts()));
  return command;
}

/** Its own options first. */
export function optionsOf(spec: CommandSpec): readonly OptionSpec[] {
  if (spec.run === undefined) return [];
  return [...(spec.options ?? []), ...(spec.remote === undefined ? [] : REMOTE_OPTIONS), ...COMMON_OPTIONS];
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
