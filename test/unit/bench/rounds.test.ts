import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FIVE, serviceNames } from '../../../scripts/bench/definitions.ts';
import { Pair, type PowerNode } from '../../../scripts/bench/pair.ts';
import { type Contender, rounds } from '../../../scripts/bench/peers/rounds.ts';
import type { Result } from '../../../scripts/bench/result.ts';
import type { Bench } from '../../../scripts/bench/suite.ts';
import type { Rack } from '../../../src/lab/rack.ts';

const NAMES = serviceNames(FIVE);

/** In another millisecond than whatever was before. */
function later(): number {
  const before = Date.now();
  for (;;) if (Date.now() > before) return Date.now();
}

/** Does at once what a manager is asked for, and writes that it took `tookMs`. */
class FakePair extends Pair<PowerNode> {
  readonly #tookMs: number;
  #active = 0;

  constructor(root: string, tookMs: number) {
    mkdirSync(root);
    const node = (name: string): PowerNode => {
      const services = join(root, name);
      mkdirSync(services);
      return {
        name,
        services,
        boot: async () => {},
        powerOff: async () => 0,
        end: async () => {},
      } as unknown as PowerNode;
    };
    super({} as Rack, [node('a'), node('b')]);
    this.#tookMs = tookMs;
  }

  override async start(): Promise<number> {
    return this.#write(this.#active, 'start', NAMES);
  }

  async settled(): Promise<PowerNode> {
    return this.nodes[this.#active === 0 ? 0 : 1];
  }

  override async killService(_node: PowerNode, service: string): Promise<number> {
    return this.#write(this.#active, 'start', [service]);
  }

  async switchOver(): Promise<number> {
    this.#write(this.#active, 'stop', NAMES, 0);
    this.#active = 1 - this.#active;
    return this.#write(this.#active, 'start', NAMES);
  }

  override async powerOff(node: PowerNode): Promise<number> {
    later();
    const at = await super.powerOff(node);
    this.#active = 1 - this.#active;
    this.#write(this.#active, 'start', NAMES);
    return at;
  }

  #write(node: number, command: string, services: readonly string[], tookMs = this.#tookMs): number {
    const at = later();
    for (const service of services) {
      const line = `${service} ${command} ${at / 1000} ${(at + tookMs) / 1000}\n`;
      appendFileSync(join(this.nodes[node === 0 ? 0 : 1].services, 'journal'), line);
    }
    return at;
  }
}

function bench(repeat: number) {
  const root = mkdtempSync(join(tmpdir(), 'rounds-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const results: Result[] = [];
  const turns: string[] = [];
  const parts = {
    root,
    repeat,
    add: (result: Result) => void results.push(result),
    tell: (line: string) => void turns.push(line.split(' ')[0] ?? ''),
    during: <P, T>(pair: P, use: (pair: P) => Promise<T>) => use(pair),
  };
  return { bench: parts as unknown as Bench, results, turns };
}

const contender = (name: string, tookMs: number): Contender => ({
  name,
  make: (root) => new FakePair(root, tookMs),
  processes: /x/,
  facts: {},
});

test('they take turns, and each figure of the others stands beside ours', async () => {
  const { bench: parts, results, turns } = bench(2);
  await rounds(parts, '', FIVE, [contender('sm', 100), contender('other', 300)], async () => {});
  expect(turns).toEqual(['sm', 'other', 'sm', 'other']);
  expect(results.map(({ name }) => name)).toEqual(
    ['start', 'restart', 'switch-over', 'node-death'].flatMap((figure) => [
      `${figure}.sm`,
      `${figure}.other`,
    ]),
  );
  const [ours, theirs] = results;
  expect(ours).toMatchObject({ median: 100, n: 2, facts: { bothActiveMs: 0 } });
  expect(ours?.beside).toBeUndefined();
  expect(theirs).toMatchObject({ median: 300, beside: { median: 100, ratio: 3 } });
});

test('one that fails is named in the end, and the others are measured all the same', async () => {
  const { bench: parts, results } = bench(1);
  const broken: Contender = {
    ...contender('broken', 1),
    make: () => {
      throw new Error('it does not start');
    },
  };
  const all = rounds(parts, 'fifty-', FIVE, [broken, contender('sm', 50)], async () => {});
  await expect(all).rejects.toThrow('broken: it does not start');
  expect(results.map(({ name }) => name)).toContain('fifty-node-death.sm');
  expect(results.filter(({ name }) => name.includes('broken'))).toEqual([]);
});
