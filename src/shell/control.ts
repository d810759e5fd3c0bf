/**
 * The control socket of `sm`: how the tools and the API read views and send commands. It only posts events and reads
 * views; a slow, broken or hostile client is dropped and changes nothing else.
 */
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { OperatorCommand } from '../core/engine-interface.ts';
import type { NodeChange } from '../core/membership.ts';
import {
  type CommandResult,
  type ControlErrorCode,
  type ControlRequest,
  parseActor,
  parseCommand,
  parseNodeChange,
  parseRequest,
  parseWhy,
  REQUEST_BYTES_MAX,
} from './control-protocol.ts';
import { toJson } from './json.ts';
import { LineSplitter } from './lines.ts';
import type { Log } from './ports.ts';

export const CLIENTS_MAX = 32;
/** Views and commands of one client that wait for their reply: each view asks sm-watchdog, which has other work. */
export const PENDING_PER_CLIENT_MAX = 16;
/** Bytes that may wait for a client that does not read. A view of a large system has about 200 KiB. */
export const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;
/** sun_path of a UNIX socket, terminator excluded. */
const SOCKET_PATH_BYTES_MAX = 107;

export interface ControlHandlers {
  /** Plain data. */
  readonly view: () => Promise<unknown>;
  /** The reply of the engine is handed to `answered` with the same number. */
  readonly command: (request: number, actor: string, command: OperatorCommand) => void;
  readonly shutdown: (actor: string, reason: string) => void;
  /** Starts `sm` anew, or tells why not. */
  readonly restart: (actor: string, why: string) => Promise<CommandResult>;
  /** Adds or removes the other node, and starts `sm` anew. */
  readonly nodes: (actor: string, why: string, change: NodeChange) => Promise<CommandResult>;
}

interface Client {
  readonly socket: Socket;
  readonly lines: LineSplitter;
  pending: number;
  subscribed: boolean;
}

export class ControlServer {
  readonly #handlers: ControlHandlers;
  readonly #log: Log;
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  readonly #waiting = new Map<number, { readonly client: Client; readonly id: number | string }>();
  #nextRequest = 1;
  /** Clients dropped because they did not read or sent what can not be read. */
  clientsDropped = 0;

  constructor(handlers: ControlHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Rejects with a sentence when the path can not be used. A left-over socket file is replaced. */
  async listen(path: string): Promise<void> {
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      throw new Error(`control socket ${path}: the path is longer than ${SOCKET_PATH_BYTES_MAX} bytes`);
    }
    const directory = dirname(path);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if ((statSync(directory).mode & 0o022) !== 0) {
      throw new Error(`control socket ${path}: others may write to ${directory}; make it 0700`);
    }
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      const mask = process.umask(0o177);
      try {
        this.#server.listen(path, () => {
          this.#server.off('error', reject);
          this.#server.on('error', (error) => this.#log.error({ error: error.message }, 'control socket'));
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
    chmodSync(path, 0o600);
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** The engine's reply to a command. */
  answered(request: number, result: CommandResult): void {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) return;
    this.#waiting.delete(request);
    waiting.client.pending -= 1;
    this.#write(waiting.client, { id: waiting.id, ok: true, result });
  }

  /** Tells every subscriber. */
  publish(event: unknown): void {
    for (const client of this.#clients) if (client.subscribed) this.#write(client, { event });
  }

  close(): void {
    this.#server.close();
    for (const client of this.#clients) client.socket.end();
  }

  #accept(socket: Socket): void {
    const client: Client = {
      socket,
      lines: new LineSplitter(REQUEST_BYTES_MAX),
      pending: 0,
      subscribed: false,
    };
    socket.on('error', () => socket.destroy());
    if (this.#clients.size >= CLIENTS_MAX) {
      this.#fail(client, null, 'too-many-clients', `${CLIENTS_MAX} clients are connected; try again later`);
      socket.end();
      socket.resume();
      return;
    }
    this.#clients.add(client);
    socket.on('close', () => this.#forget(client));
    socket.on('data', (chunk: Buffer) => this.#read(client, chunk));
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    for (const [request, waiting] of this.#waiting) {
      if (waiting.client === client) this.#waiting.delete(request);
    }
  }

  #read(client: Client, chunk: Buffer): void {
    if (client.socket.writableEnded) return;
    const lines = client.lines.push(chunk);
    if (lines === null) {
      const message = `a request has at most ${REQUEST_BYTES_MAX} bytes`;
      this.#fail(client, null, 'line-too-long', message);
      this.clientsDropped += 1;
      this.#log.warn({ reason: message }, 'control client dropped');
      client.socket.end();
      return;
    }
    for (const line of lines) if (line.trim() !== '') this.#handle(client, line);
  }

  #handle(client: Client, line: string): void {
    const parsed = parseRequest(line);
    if (!parsed.ok) {
      this.#fail(client, parsed.id, parsed.code, parsed.message);
      return;
    }
    try {
      this.#serve(client, parsed.value);
    } catch (error) {
      this.#fail(client, parsed.id, 'internal', messageOf(error));
    }
  }

  #serve(client: Client, request: ControlRequest): void {
    switch (request.method) {
      case 'ping':
        this.#write(client, { id: request.id, ok: true, result: { pid: process.pid } });
        return;
      case 'view':
        this.#answer(client, request, () => this.#handlers.view());
        return;
      case 'subscribe':
        client.subscribed = true;
        this.#write(client, { id: request.id, ok: true, result: {} });
        return;
      case 'command':
        this.#command(client, request);
        return;
      case 'shutdown':
        this.#shutdown(client, request);
        return;
      case 'restart':
        this.#restart(client, request);
        return;
      case 'nodes':
        this.#nodes(client, request);
    }
  }

  #answer(client: Client, { id }: ControlRequest, work: () => Promise<unknown>): void {
    if (this.#isFull(client, id)) return;
    client.pending += 1;
    work()
      .finally(() => {
        client.pending -= 1;
      })
      .then(
        (result) => this.#write(client, { id, ok: true, result }),
        (error: unknown) => this.#fail(client, id, 'internal', messageOf(error)),
      );
  }

  /** Tells the client so. */
  #isFull(client: Client, id: number | string): boolean {
    if (client.pending < PENDING_PER_CLIENT_MAX) return false;
    const message = `${PENDING_PER_CLIENT_MAX} requests of this client wait for their reply`;
    this.#fail(client, id, 'too-many-requests', message);
    return true;
  }

  #command(client: Client, request: ControlRequest): void {
    const actor = parseActor(request.params);
    const command = parseCommand(request.params.command);
    if (!actor.ok) return this.#fail(client, request.id, actor.code, actor.message);
    if (!command.ok) return this.#fail(client, request.id, command.code, command.message);
    if (this.#isFull(client, request.id)) return;
    const number = this.#nextRequest;
    this.#nextRequest += 1;
    client.pending += 1;
    this.#waiting.set(number, { client, id: request.id });
    this.#handlers.command(number, actor.value, command.value);
  }

  #shutdown(client: Client, request: ControlRequest): void {
    const actor = parseActor(request.params);
    if (!actor.ok) return this.#fail(client, request.id, actor.code, actor.message);
    this.#write(client, { id: request.id, ok: true, result: {} });
    this.#handlers.shutdown(actor.value, `asked for by ${actor.value}`);
  }

  #restart(client: Client, request: ControlRequest): void {
    const actor = parseActor(request.params);
    const why = parseWhy(request.params);
    if (!actor.ok) return this.#fail(client, request.id, actor.code, actor.message);
    if (!why.ok) return this.#fail(client, request.id, why.code, why.message);
    this.#answer(client, request, () => this.#handlers.restart(actor.value, why.value));
  }

  #nodes(client: Client, request: ControlRequest): void {
    const actor = parseActor(request.params);
    const why = parseWhy(request.params);
    const change = parseNodeChange(request.params);
    if (!actor.ok) return this.#fail(client, request.id, actor.code, actor.message);
    if (!why.ok) return this.#fail(client, request.id, why.code, why.message);
    if (!change.ok) return this.#fail(client, request.id, change.code, change.message);
    this.#answer(client, request, () => this.#handlers.nodes(actor.value, why.value, change.value));
  }

  #fail(client: Client, id: number | string | null, code: ControlErrorCode, message: string): void {
    this.#write(client, { id, ok: false, error: { code, message } });
  }

  #write(client: Client, value: object): void {
    const { socket } = client;
    if (socket.destroyed || socket.writableEnded) return;
    if (socket.writableLength > BACKLOG_BYTES_MAX) {
      this.clientsDropped += 1;
      this.#log.warn({ backlogBytes: socket.writableLength }, 'control client dropped: it does not read');
      socket.destroy();
      return;
    }
    socket.write(`${toJson(value)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
