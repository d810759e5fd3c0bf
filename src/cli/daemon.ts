/** Asking `sm`, and what it means when it does not answer. */
import type { EngineView } from '../core/view.ts';
import { ControlError } from '../shell/client.ts';
import { type Context, type Daemon, type Given, type Outcome, problem } from './command.ts';
import { EXIT } from './exit-codes.ts';

/** How long a tool waits for one answer, ms. The engine answers within a turn. */
export const ANSWER_MS = 2000;

/** `work` with a connection to `sm`, which is closed afterwards. Throws ControlError. */
export async function withDaemon<T>(
  context: Context,
  given: Given,
  work: (daemon: Daemon) => Promise<T>,
): Promise<T> {
  const daemon = await context.connect(given.settings.controlSocket);
  try {
    return await work(daemon);
  } finally {
    daemon.close();
  }
}

export async function readView(daemon: Daemon): Promise<EngineView> {
  return (await daemon.request('view', {}, ANSWER_MS)) as EngineView;
}

const MALFORMED = ['bad-parameters', 'bad-request', 'line-too-long', 'unknown-method'];

/** What a ControlError means to the user of a tool. Anything else is a fault of ours and thrown on. */
export function controlProblem(error: unknown): Outcome {
  if (!(error instanceof ControlError)) throw error;
  const { code, message } = error;
  // What could never be obeyed was called wrongly; the rest is the no of a running sm.
  const said = MALFORMED.includes(code) ? EXIT.usage : EXIT.refused;
  return problem(isAway(error) ? EXIT.away : said, code, message);
}

/** `sm` could not be asked, as opposed to: it said no. */
export function isAway(error: unknown): error is ControlError {
  return (
    error instanceof ControlError &&
    ['not-running', 'not-permitted', 'timeout', 'closed'].includes(error.code)
  );
}
