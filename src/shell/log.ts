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

/** Fields that are never printed, whoever logs them, down to three levels. */
const SECRET_FIELDS = ['authKey', 'token', 'secret', 'password', 'authorization'];
const SECRET_PATHS = ['', '*.', '*.*.', '*.*.*.'].flatMap((depth) =>
  SECRET_FIELDS.map((field) => depth + field),
);

/** `to`: for tests. Children (`logger.child({ service })`) keep level and redaction. */
export function createLogger(options: LogOptions, to: DestinationStream = open(options)): Logger {
  return pino(
    {
      name: options.program,
      level: options.log.level,
      base: { node: options.node, pid: process.pid },
      redact: { paths: SECRET_PATHS, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
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
