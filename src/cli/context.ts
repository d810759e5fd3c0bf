/** What the tools get from the machine they run on: their common composition root. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Result } from '../core/kernel/errors.ts';
import { connect } from '../shell/client.ts';
import { CONFIG_PATH, loadConfig } from '../shell/config.ts';
import { pluginPath, pluginProblem } from '../shell/exec/plugin.ts';
import { processFacts } from '../shell/process-facts.ts';
import type { Context, Settings } from './command.ts';
import { coloured, plain } from './format.ts';
import { RestClient } from './rest.ts';

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
    settings: (config) => configured(config ?? env.SM_CONFIG ?? null),
    configurationPath: (config) => config ?? env.SM_CONFIG ?? CONFIG_PATH,
    actor: actor(),
    wallMs: () => Date.now(),
    connect,
    rest: (options) => new RestClient(options),
    environment: (name) => env[name] ?? '',
    processOf: processFacts,
    scriptProblem: (settings, pluginType, pluginClass, pluginName) =>
      pluginProblem(
        pluginPath(
          { lsb: settings.lsbDirectory, ocfRoot: settings.ocfRoot },
          { pluginType, pluginClass, pluginName },
        ),
      ),
    pause: async (ms) => {
      await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
    },
    stopped: () => stop.signal.aborted,
    ask: (question) => ask(question, stop.signal),
  };
}

/** The question goes to stderr: stdout is for what comes of it. */
async function ask(question: string, signal: AbortSignal): Promise<string | null> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true) return null;
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    return (await terminal.question(question, { signal })).trim();
  } catch {
    return null;
  } finally {
    terminal.close();
  }
}

/** A node without a configuration file has the defaults; a file that was asked for must be there. */
function configured(path: string | null): Result<Settings> {
  return loadConfig(path ?? (existsSync(CONFIG_PATH) ? CONFIG_PATH : '/dev/null'));
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
