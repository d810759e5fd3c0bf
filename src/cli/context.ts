/** What the tools get from the machine they run on. */
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../shell/client.ts';
import { processFacts } from '../shell/process-facts.ts';
import type { Context, Paths } from './command.ts';
import { coloured, plain } from './format.ts';

/** Where `sm` keeps things unless its configuration says otherwise; SM_DATABASE, SM_SOCKET and SM_KEYS override. */
export const DEFAULT_PATHS: Paths = {
  database: '/var/run/sm/sm.db',
  socket: '/var/run/sm/sm.sock',
  keys: '/etc/sm/keys.d',
};

/** Context of the running process. Ctrl-C ends what watches or follows; what was asked of `sm` goes on. */
export function processContext(): Context {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  // A reader that has seen enough (head, grep -q) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const { env, stdout, stderr } = process;
  const terminal = stdout.isTTY === true;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    paint: terminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb' ? coloured : plain,
    terminal,
    paths: {
      database: env.SM_DATABASE ?? DEFAULT_PATHS.database,
      socket: env.SM_SOCKET ?? DEFAULT_PATHS.socket,
      keys: env.SM_KEYS ?? DEFAULT_PATHS.keys,
    },
    actor: actor(),
    wallMs: () => Date.now(),
    connect,
    processOf: processFacts,
    pause: async (ms) => {
      await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
    },
    stopped: () => stop.signal.aborted,
  };
}

/** The person, also behind sudo. */
function actor(): string {
  const behind = process.env.SUDO_USER ?? '';
  if (behind !== '') return behind;
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
