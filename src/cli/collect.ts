/**
 * smctl collect: everything that somebody needs who was not there, in one file. Each part is taken by itself: what can not
 * be had is named in the manifest, and nothing of it keeps the rest from being taken. No secret goes with it.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { isSecretName } from '../core/kernel/secret-names.ts';
import { toJson } from '../shell/json.ts';
import { Bundle, BundleError } from '../shell/support/bundle.ts';
import { listing, outputOf, type Taken, tablesOf, tailOf } from '../shell/support/machine.ts';
import { CENSORED, Secrets } from '../shell/support/secrets.ts';
import { newestTraces } from '../shell/support/traces.ts';
import { VERSION } from '../shell/version.ts';
import {
  type CommandSpec,
  type Context,
  execute,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { readView, withDaemon } from './daemon.ts';
import { EXIT } from './exit-codes.ts';
import { parseDuration, plain, time } from './format.ts';

const SINCE_FALLBACK = '24h';
/** What has not been begun by then is left out. */
const TIME_LIMIT_MS = 60_000;
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const SCRIPT_OUTPUT_BYTES_MAX = 16 * 1024;
const SCRIPT_OUTPUTS_MAX = 200;
/** Unpacked; packed again it is a tenth. */
const TRACE_BYTES_MAX = 24 * 1024 * 1024;
const PROC_BYTES_MAX = 256 * 1024;
const EXPLAINED_MAX = 500;

/** The commands whose answers go into it, by the name of the file. */
export type Answers = Readonly<
  Record<string, { readonly spec: CommandSpec; readonly words: readonly string[] }>
>;

export function collectCommand(answers: (sinceMs: number) => Answers, explain: CommandSpec): CommandSpec {
  return {
    name: 'collect',
    summary: 'Collect everything that helps to find out what happened, in one file without secrets',
    details: [
      'State, reasons, alarms, history, definitions, modes of files, versions, the kernel and its networks, logs. Works while',
      'sm is away, with a database or a configuration that can not be read: what is missing is named in manifest.json,',
      'with the sum of each file. Key files are never opened. The file is of its owner only; read it before you give it away.',
    ],
    options: [
      { flags: '--out <file>', text: 'where to; left out: sm-support-NODE-TIME.tar.gz, here' },
      { flags: '--since <duration>', text: 'events and history of so long', fallback: SINCE_FALLBACK },
    ],
    examples: ['smctl collect', 'smctl collect --out /tmp/support.tar.gz --since 2h'],
    anyConfiguration: true,
    run: (context, given) => collect(context, given, answers, explain),
  };
}

async function collect(
  context: Context,
  given: Given,
  answers: (sinceMs: number) => Answers,
  explain: CommandSpec,
): Promise<Outcome> {
  const sinceMs = parseDuration(text(given, 'since', SINCE_FALLBACK));
  if (sinceMs === null || sinceMs === 0)
    return problem(EXIT.usage, 'usage', '--since takes a duration like 30m, 24h or 7d');
  const startedMs = context.wallMs();
  const stamp = time(startedMs).replace(/[-:]|\.\d+/g, '');
  const path = resolve(text(given, 'out', `sm-support-${given.settings.node}-${stamp}.tar.gz`));
  let bundle: Bundle | null = null;
  try {
    bundle = new Bundle(path);
    const collector = new Collector(context, given, bundle);
    await collector.all(answers(sinceMs), explain);
    const facts = {
      version: VERSION,
      node: given.settings.node,
      collected: time(startedMs),
      since: time(startedMs - sinceMs),
    };
    const bytes = await bundle.finish(facts);
    const { entries, gaps } = bundle;
    return {
      exit: EXIT.ok,
      lines: [
        `${path}: ${entries.length} files, ${bytes} bytes`,
        ...gaps.map(({ source, reason }) => `  not in it: ${source}: ${reason}`),
      ],
      json: { ok: true, path, bytes, files: entries.length, missing: gaps },
    };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    return failed(error.coded);
  } finally {
    bundle?.discard();
  }
}

class Collector {
  readonly #context: Context;
  readonly #given: Given;
  readonly #bundle: Bundle;
  readonly #secrets = new Secrets();
  readonly #until: number;
  readonly #keyNames: ReadonlySet<string>;
  #tables: ReturnType<typeof tablesOf> = '';

  constructor(context: Context, given: Given, bundle: Bundle) {
    this.#context = context;
    this.#given = given;
    this.#bundle = bundle;
    this.#until = context.wallMs() + TIME_LIMIT_MS;
    this.#keyNames = new Set(namesIn(given.settings.keysDirectory));
  }

  async all(answers: Answers, explain: CommandSpec): Promise<void> {
    const steps: readonly (readonly [string, () => Promise<void> | void])[] = [
      // First of all: what is secret is learnt from it.
      ['configuration and definitions', () => this.#definitions()],
      ['answers of sm', () => this.#answers(answers)],
      ['reasons', () => this.#reasons(explain)],
      ['files', () => this.#files()],
      ['kernel and networks', () => this.#kernel()],
      ['logs', () => this.#logs()],
      // The last: what fits of it.
      ['traces', () => this.#traces()],
    ];
    for (const [name, work] of steps) {
      if (this.#context.stopped()) this.#bundle.missing(name, 'stopped by its user');
      else if (this.#context.wallMs() > this.#until)
        this.#bundle.missing(name, `no time: ${TIME_LIMIT_MS} ms in all`);
      else {
        this.#context.err(`${name} ...`);
        await work();
      }
    }
  }

  #take(path: string, taken: Taken | string | null, source: string): void {
    if (taken === null) this.#bundle.missing(source, 'not installed here');
    else if (typeof taken === 'string') this.#bundle.missing(source, this.#secrets.clean(taken));
    else this.#bundle.add(path, this.#secrets.clean(taken.text), source, taken.note);
  }

  #definitions(): void {
    const { database } = this.#given.settings;
    this.#tables = tablesOf(database);
    if (typeof this.#tables === 'string') {
      this.#bundle.missing(database, this.#tables);
    } else {
      for (const rows of this.#tables.values()) for (const row of rows) this.#learn(row);
    }
    const { configuration } = this.#given;
    if (configuration.problem !== '') this.#bundle.missing('configuration', configuration.problem);
    const file = tailOf(configuration.path, PROC_BYTES_MAX);
    if (typeof file !== 'string') this.#secrets.learnDocument(parsed(file.text));
    this.#take('configuration/sm.yaml', file, configuration.path);
    if (typeof this.#tables === 'string') return;
    for (const [name, rows] of this.#tables) {
      const json = rows.map((row) => toJson(this.#censored(row))).join('\n');
      this.#take(
        `database/${name.replace(/[^\w.-]/g, '_')}.jsonl`,
        { text: `${json}\n`, note: '' },
        `${database} ${name}`,
      );
    }
  }

  #learn(row: Readonly<Record<string, unknown>>): void {
    for (const [column, value] of Object.entries(row)) {
      if (typeof value !== 'string') continue;
      if (this.#isSecret(column, row)) this.#secrets.add(value);
      else if (value.includes('=')) this.#secrets.learn(value);
    }
  }

  #censored(row: Readonly<Record<string, unknown>>): object {
    return Object.fromEntries(
      Object.entries(row).map(([column, value]) => [column, this.#isSecret(column, row) ? CENSORED : value]),
    );
  }

  /**
   * AUTH_KEY names a key file; StarlingX has the key itself there. Settings are judged by their own name. SECRETS say where the
   * secrets of a fence device lie.
   */
  #isSecret(column: string, { KEY, [column]: value }: Readonly<Record<string, unknown>>): boolean {
    if (value === '' || value === null) return false;
    if (column.startsWith('AUTH_KEY')) return !this.#keyNames.has(String(value));
    if (column === 'VALUE') return isSecretName(String(KEY));
    if (column === 'SECRETS') return false;
    return column !== 'KEY' && column !== 'ROW_KEY' && isSecretName(column);
  }

  async #answers(answers: Answers): Promise<void> {
    for (const [path, { spec, words }] of Object.entries(answers)) {
      await this.#answer(path, spec, words);
    }
    try {
      const view = await withDaemon(this.#context, this.#given, readView);
      this.#take('sm/view.json', { text: `${toJson(view)}\n`, note: '' }, 'smctl: the view of sm');
    } catch (error) {
      this.#bundle.missing('the view of sm', error instanceof Error ? error.message : String(error));
    }
  }

  /** As a user would have typed it, with the same database and socket. */
  async #answer(path: string, spec: CommandSpec, words: readonly string[]): Promise<void> {
    const lines: string[] = [];
    const { settings } = this.#given;
    const settled = () => ({ ok: true, value: settings }) as const;
    const keep = (line: string) => void lines.push(line);
    const context = {
      ...this.#context,
      out: keep,
      err: keep,
      paint: plain,
      terminal: false,
      settings: settled,
    };
    const exit = await execute(spec, words, context);
    const note = exit === EXIT.ok ? '' : `exit code ${exit}`;
    this.#take(path, { text: `${lines.join('\n')}\n`, note }, [spec.name, ...words].join(' '));
  }

  async #reasons(explain: CommandSpec): Promise<void> {
    const names = (table: string): string[] => {
      const rows = typeof this.#tables === 'string' ? [] : (this.#tables.get(table) ?? []);
      return rows.flatMap(({ NAME, PROVISIONED }) => (PROVISIONED === 'no' ? [] : [String(NAME)]));
    };
    const nodes = typeof this.#tables === 'string' ? [] : (this.#tables.get('NODES') ?? []);
    const subjects = [
      ['daemon'],
      ...nodes.map(({ NAME }) => ['node', String(NAME)]),
      ...names('SERVICE_GROUPS').map((name) => ['group', name]),
      ...names('SERVICES').map((name) => ['service', name]),
    ];
    for (const words of subjects.slice(0, EXPLAINED_MAX)) {
      const file = words.join('-').replace(/[^\w.-]/g, '_');
      await this.#answer(`explain/${file}.txt`, explain, words);
    }
  }

  #files(): void {
    const { settings, configuration } = this.#given;
    const { database, keysDirectory, runDirectory, lsbDirectory } = settings;
    const roots = [dirname(configuration.path), keysDirectory, dirname(database), runDirectory];
    this.#take('files/modes.txt', listing([...new Set(roots)]), 'modes of files');
    const scripts = typeof this.#tables === 'string' ? [] : (this.#tables.get('SERVICE_ACTIONS') ?? []);
    const paths = new Set(
      scripts.map(({ PLUGIN_TYPE, PLUGIN_CLASS, PLUGIN_NAME }) =>
        PLUGIN_TYPE === 'lsb-script'
          ? join(lsbDirectory, String(PLUGIN_NAME))
          : join(settings.ocfRoot, 'resource.d', String(PLUGIN_CLASS), String(PLUGIN_NAME)),
      ),
    );
    this.#take('files/scripts.txt', listing([...paths]), 'modes of scripts');
  }

  async #kernel(): Promise<void> {
    for (const [path, argv] of Object.entries(COMMANDS))
      this.#take(`system/${path}`, await outputOf(argv), argv.join(' '));
    for (const path of PROC_FILES) this.#take(`system${path}`, tailOf(path, PROC_BYTES_MAX), path);
    const versions = { sm: VERSION, ...process.versions, platform: `${process.platform} ${process.arch}` };
    this.#take('system/versions.yaml', { text: stringify(versions), note: '' }, 'versions');
    for (const lock of ['sm.lock', 'sm-watchdog.lock']) this.#process(lock);
  }

  /** Neither arguments nor environment: both may carry secrets. */
  #process(lock: string): void {
    const path = join(this.#given.settings.runDirectory, lock);
    const held = tailOf(path, PROC_BYTES_MAX);
    const pid = typeof held === 'string' ? undefined : /"pid":\s*(\d+)/.exec(held.text)?.[1];
    if (pid === undefined)
      this.#bundle.missing(path, typeof held === 'string' ? held : 'it names no process');
    else
      for (const name of PROCESS_FILES)
        this.#take(
          `system/${lock.replace('.lock', '')}/${name}`,
          tailOf(`/proc/${pid}/${name}`, PROC_BYTES_MAX),
          name,
        );
  }

  async #logs(): Promise<void> {
    const { log, runDirectory } = this.#given.settings;
    if (log.file !== null) {
      for (const path of [log.file, `${log.file}.1`])
        this.#take(`logs/${path.split('/').at(-1)}`, tailOf(path, LOG_BYTES_MAX), path);
    }
    const journal = [
      'journalctl',
      '--unit',
      'sm',
      '--unit',
      'sm-api',
      '--no-pager',
      '--lines',
      '20000',
      '--output',
      'short-iso-precise',
    ];
    this.#take('logs/journal.txt', await outputOf(journal), journal.join(' '));
    const outputs = join(runDirectory, 'output');
    for (const name of namesIn(outputs).slice(0, SCRIPT_OUTPUTS_MAX))
      this.#take(
        `scripts/${name}.txt`,
        tailOf(join(outputs, name), SCRIPT_OUTPUT_BYTES_MAX),
        join(outputs, name),
      );
  }

  /** Their secrets are covered already; what else only looks like one has to stay, or nothing would replay. */
  #traces(): void {
    const { directory, bytesMax } = this.#given.settings.trace;
    if (bytesMax === 0) return this.#bundle.missing('traces', 'trace.bytesMax is 0');
    const found = newestTraces(directory, TRACE_BYTES_MAX);
    if (typeof found === 'string') return this.#bundle.missing(directory, found);
    for (const { name, text, path } of found)
      this.#bundle.add(`trace/${name}`, this.#secrets.cleanKnown(text), path);
  }
}

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'addresses.json': ['ip', '-json', 'address'],
  'links.json': ['ip', '-json', '-statistics', 'link'],
  'routes.json': ['ip', '-json', 'route', 'show', 'table', 'all'],
  'neighbours.json': ['ip', '-json', 'neighbour'],
  'rules.json': ['ip', '-json', 'rule'],
  'sockets.txt': ['ss', '--udp', '--all', '--numeric', '--extended'],
  // Names of programs, not their arguments.
  'processes.txt': ['ps', '-eo', 'pid,ppid,pgid,stat,etimes,rss,pcpu,nlwp,comm'],
  'file-systems.txt': ['df', '--portability', '--print-type'],
  'packages.txt': ['dpkg-query', '--show', 'sm-pair', 'nodejs', 'libc6', 'resource-agents'],
  'kernel.txt': ['uname', '--all'],
  'messages.txt': ['dmesg', '--decode', '--level=emerg,alert,crit,err,warn'],
  'clock.txt': ['timedatectl', 'status', '--no-pager'],
  'unit.txt': ['systemctl', 'status', 'sm', '--no-pager', '--lines', '0'],
};

const PROC_FILES: readonly string[] = [
  '/etc/os-release',
  '/proc/loadavg',
  '/proc/uptime',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/vmstat',
  '/proc/mounts',
  '/proc/diskstats',
  '/proc/pressure/cpu',
  '/proc/pressure/io',
  '/proc/pressure/memory',
  '/proc/sys/kernel/random/boot_id',
  '/proc/sys/fs/file-nr',
  '/proc/net/dev',
  '/proc/net/snmp',
  '/proc/net/netstat',
  '/proc/net/udp',
  '/proc/net/udp6',
  '/proc/net/softnet_stat',
];

const PROCESS_FILES: readonly string[] = ['status', 'stat', 'limits', 'cgroup', 'schedstat', 'wchan', 'io'];

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** Whatever can be read of a document that may be broken. */
function parsed(text: string): unknown {
  try {
    return parse(text, { logLevel: 'silent' });
  } catch {
    return null;
  }
}
