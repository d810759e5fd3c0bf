/**
 * Callers of a REST server, as a program of its own: `api-load.ts '{"kind":"flood",...}'`. stdout: one line of JSON.
 * `flood`: so many connections, each with the next request as soon as it has its answer. `stream`: readers that read nothing.
 * `body`: one body of 100 MB after the other.
 */
import { connect, type Socket } from 'node:net';

export interface LoadRequest {
  readonly kind: 'flood' | 'stream' | 'body';
  readonly port: number;
  readonly token: string;
  readonly path: string;
  readonly connections: number;
  readonly ms: number;
}

export interface LoadAnswer {
  readonly requests: number;
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly elapsedMs: number;
}

const BODY_BYTES = 100 * 1024 * 1024;
const times: number[] = [];
let failures = 0;
let over = false;

const open = (port: number, connected: (socket: Socket) => void): Socket => {
  const socket = connect(port, '127.0.0.1', () => connected(socket));
  socket.setNoDelay(true);
  socket.on('error', () => {});
  return socket;
};

function flood({ port, path, token }: LoadRequest): void {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Auth-Token: ${token}\r\n\r\n`;
  let since = 0;
  let missing = 0;
  const ask = (socket: Socket): void => {
    since = performance.now();
    socket.write(request);
  };
  open(port, (socket) => {
    ask(socket);
    socket.on('data', (piece) => {
      if (missing === 0) {
        const head = piece.toString('latin1', 0, 1024);
        const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
        if (!head.startsWith('HTTP/1.1 200') || Number.isNaN(length)) failures += 1;
        missing = head.indexOf('\r\n\r\n') + 4 + length;
      }
      missing -= piece.length;
      if (missing > 0) return;
      missing = 0;
      times.push(performance.now() - since);
      if (over) socket.destroy();
      else ask(socket);
    });
  });
}

function stream({ port, token }: LoadRequest): void {
  const request = `GET /v1/stream HTTP/1.1\r\nHost: a\r\nX-Auth-Token: ${token}\r\nLast-Event-ID: 0\r\n\r\n`;
  const begin = (): void => {
    const socket = open(port, () => socket.write(request));
    socket.pause();
    socket.on('close', () => {
      failures += 1;
      if (!over) setTimeout(begin, 100);
    });
  };
  begin();
}

function body(given: LoadRequest): void {
  const { port, token } = given;
  const head = `POST /v1/operations HTTP/1.1\r\nHost: a\r\nX-Auth-Token: ${token}\r\nContent-Type: application/json\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
  const piece = Buffer.alloc(256 * 1024, 0x20);
  const socket = open(port, () => {
    socket.write(head);
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  });
  socket.resume();
  socket.on('close', () => {
    times.push(0);
    if (!over) setTimeout(() => body(given), 10);
  });
}

const given = JSON.parse(process.argv[2] ?? '') as LoadRequest;
const started = performance.now();
for (let i = 0; i < given.connections; i += 1) ({ flood, stream, body })[given.kind](given);
setTimeout(() => {
  over = true;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const elapsedMs = performance.now() - started;
  const answer: LoadAnswer = {
    requests: times.length,
    failures,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    elapsedMs,
  };
  console.log(JSON.stringify(answer));
  process.exit(0);
}, given.ms);
