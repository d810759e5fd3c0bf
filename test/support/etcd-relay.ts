/** Stands before one member of etcd: late, or holding some requests until after their time-out and letting them through then. */
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { realTime } from '../../src/shell/time.ts';

/** A transaction that etcd has answered, whoever still wanted to know. */
export interface Landed {
  readonly at: number;
  /** What it puts, by the last part of the key. */
  readonly puts: ReadonlyMap<string, string>;
  readonly committed: boolean;
}

export class EtcdRelay {
  readonly landed: Landed[] = [];
  /** How long a transaction is kept before etcd gets it, ms. */
  hold: (puts: ReadonlyMap<string, string>) => number = () => 0;
  /** Whether etcd's answers get through. */
  answers = true;
  readonly #server: http.Server;
  readonly #agent = new http.Agent({ keepAlive: true });

  private constructor(member: string) {
    this.#server = http.createServer((request, response) => {
      this.#pass(member, request, response).catch(() => response.destroy());
    });
  }

  static async start(member: string): Promise<EtcdRelay> {
    const relay = new EtcdRelay(member);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  /** The client may be gone when its request goes on: that is the point. */
  async #pass(member: string, request: IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await textOf(request);
    const puts = putsOf(body);
    await sleep(this.hold(puts));
    const passed = http.request(member + request.url, {
      method: 'POST',
      agent: this.#agent,
      headers: request.headers,
    });
    passed.end(body);
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    const text = await textOf(answer);
    if (answer.statusCode === 200)
      this.landed.push({ at: realTime.now(), puts, committed: JSON.parse(text).succeeded === true });
    if (!this.answers) return;
    response.writeHead(answer.statusCode ?? 502, { 'content-type': 'application/json' });
    response.end(text);
  }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

interface Transaction {
  readonly success?: readonly { readonly request_put?: { readonly key: string; readonly value: string } }[];
}

function putsOf(body: string): ReadonlyMap<string, string> {
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');
  const { success = [] } = JSON.parse(body) as Transaction;
  return new Map(
    success.flatMap(({ request_put: put }) =>
      put === undefined ? [] : [[text(put.key).split('/').at(-1) ?? '', text(put.value)]],
    ),
  );
}
