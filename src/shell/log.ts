/**
 * The log: JSON lines on stderr (or in a file), written without ever making the writer wait: sm-watchdog must not miss a
 * heartbeat because a reader of the log is slow. What does not fit into the buffer is lost.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { Config } from './config.ts';

export type { Logger } from 'pino';

export interface LogOptions extends Pick<Config, 'log'> {
  /** `sm`, `sm-watchdog`, ...: the `name` of every line. */
  readonly program: string;
  readonly node: string;
}

const BUFFER_BYTES_MAX = 1 << 20;

/** Fields that are never printed, whoever logs them. */
const SECRET_FIELDS = ['authKey', 'token', 'secret', 'password', 'authorization'];
/** Levels below a field at which they are looked for. */
const SECRET_DEPTH_MAX = 3;
const CENSORED = '[secret]';
/** For the fields of a line; pino asks these for those of a child too. */
const CENSORS = Object.fromEntries(SECRET_FIELDS.map((field) => [field, () => CENSORED]));

/** The same fields without secrets; a copy only where there are some. pino's own `redact` takes several times as long. */
function withoutSecrets<T extends object>(fields: T, depth = 0): T {
  let copy: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(fields)) {
    const shown = shownOf(name, value, depth);
    if (shown === value) continue;
    copy ??= (Array.isArray(fields) ? [...fields] : { ...fields }) as Record<string, unknown>;
    copy[name] = shown;
  }
  return (copy as T | null) ?? fields;
}

function shownOf(name: string, value: unknown, depth: number): unknown {
  if (SECRET_FIELDS.includes(name)) return CENSORED;
  const goesOn = typeof value === 'object' && value !== null && depth < SECRET_DEPTH_MAX;
  return goesOn ? withoutSecrets(value, depth + 1) : value;
}

/** `to`: for tests. Children (`logger.child({ service })`) keep the level; of their own fields the upper ones are redacted. */
export function createLogger(options: LogOptions, to: DestinationStream = open(options)): Logger {
  return pino(
    {
      name: options.program,
      level: options.log.level,
      base: { node: options.node, pid: process.pid },
      serializers: CENSORS,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
    },
    to,
  );
}

function open({ log }: LogOptions): DestinationStream {
  const common = { sync: false, minLength: 0, maxLength: BUFFER_BYTES_MAX };
  const to =
    log.file === null
      ? destination({ ...common, fd: 2 })
      : destination({ ...common, dest: log.file, mkdir: true, mode: 0o600 });
  // A full disk costs lines: an error that nobody hears would end the process, and both of a node have the same disk.
  return to.on('error', () => {});
}
