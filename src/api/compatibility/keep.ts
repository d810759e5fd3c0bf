/** The compatibility sockets for as long as the server lives: opened again, after growing pauses, when perl has ended. */
import { openSockets, type Sockets } from './sockets.ts';

/** Before the first new attempt, ms; each further one waits twice as long. */
const PAUSE_MS_MIN = 200;
/** The longest pause, ms; sockets that were there for as long begin with the shortest one again. */
const PAUSE_MS_MAX = 60_000;

export interface KeepPorts {
  readonly directory: string;
  readonly received: (bytes: Buffer) => void;
  readonly opened: () => void;
  /** They are not there, with the reason, and are opened again after so many ms. */
  readonly lost: (reason: string, pauseMs: number) => void;
  /** Monotonic ms. */
  readonly now: () => number;
}

/** Resolves after the first attempt, whatever came of it: what is sent while there are none is lost, as with nobody there. */
export async function keepSockets(ports: KeepPorts, open = openSockets): Promise<Sockets> {
  const { directory, received, now } = ports;
  let sockets: Sockets | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  let pauseMs = PAUSE_MS_MIN;
  let openedAt = 0;

  const again = (reason: string): void => {
    sockets = null;
    if (closed) return;
    ports.lost(reason, pauseMs);
    timer = setTimeout(() => void begin(), pauseMs);
    timer.unref();
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX);
  };
  const ended = (reason: string): void => {
    if (now() - openedAt >= PAUSE_MS_MAX) pauseMs = PAUSE_MS_MIN;
    again(reason);
  };
  const begin = async (): Promise<void> => {
    try {
      const opened = await open({ directory, received, ended });
      if (closed) return opened.close();
      sockets = opened;
      openedAt = now();
      ports.opened();
    } catch (error) {
      again(error instanceof Error ? error.message : String(error));
    }
  };

  await begin();
  return {
    send: (text) => sockets?.send(text),
    close: () => {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      sockets?.close();
    },
  };
}
