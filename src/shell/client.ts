/** The other end of the control socket: what `smctl` and the API use. */
import { createConnection, type Socket } from 'node:net';

export type ControlClientCode = 'not-running' | 'not-permitted' | 'timeout' | 'closed' | (string & {});

/** A refusal of the daemon, or the reason why it could not be asked. */
export class ControlError extends Error {
  override name = 'ControlError';
  readonly code: ControlClientCode;

  constructor(code: ControlClientCode, message: string) {
    super(message);
    this.code = code;
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ControlError) => void;
  readonly timer: NodeJS.Timeout;
}

interface Answer {
  readonly id?: number | null;
  readonly ok?: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly event?: unknown;
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #pieces: string[] = [];
  #nextId = 1;
  #ended: ControlError | null = null;
  /** Called for each event after `subscribe`. */
  onEvent: (event: unknown) => void = () => {};
  onClose: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#end(new ControlError('closed', error.message)));
    socket.on('close', () => this.#end(new ControlError('closed', 'sm closed the control connection')));
  }

  /**
   * Resolves with the result. Rejects with a ControlError: the daemon's code, `timeout` or `closed`.
   */
  request(method: string, params: object = {}, timeoutMs = 5000): Promise<unknown> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ControlError('timeout', `sm did not answer ${method} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const [first = '', ...others] = text.split('\n');
    this.#pieces.push(first);
    for (const next of others) {
      const line = this.#pieces.splice(0).join('');
      this.#pieces.push(next);
      this.#handle(line);
    }
  }

  #handle(line: string): void {
    let answer: Answer;
    try {
      answer = JSON.parse(line) as Answer;
    } catch {
      this.#end(new ControlError('closed', 'sm answered something that is not JSON'));
      return;
    }
    if (answer.event !== undefined) {
      this.onEvent(answer.event);
      return;
    }
    const { error } = answer;
    if (answer.id === null || answer.id === undefined) {
      // About the connection, not about one request.
      if (error !== undefined) this.#end(new ControlError(error.code, error.message));
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if (answer.ok === true) waiting.resolve(answer.result);
    else waiting.reject(new ControlError(error?.code ?? 'internal', error?.message ?? 'refused'));
  }

  #end(error: ControlError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
    this.#socket.destroy();
    this.onClose();
  }
}

/** Rejects with a ControlError: `not-running`, `not-permitted`, `timeout` (connections wait, and none is taken) or `closed`. */
export function connect(path: string): Promise<ControlClient> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(new ControlClient(socket));
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
        reject(new ControlError('not-running', `sm does not run: nobody listens on ${path}`));
      } else if (error.code === 'EACCES' || error.code === 'EPERM') {
        reject(
          new ControlError('not-permitted', `you may not open ${path}: run as root or as the user of sm`),
        );
      } else if (error.code === 'EAGAIN') {
        reject(new ControlError('timeout', `sm takes no connections: as many wait on ${path} as may`));
      } else reject(new ControlError('closed', error.message));
    });
  });
}
