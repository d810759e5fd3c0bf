/** A pair of two programs: one of them with the frames and reports of version 1 alone, as they were before version 2. */
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, it } from 'vitest';
import { buildPrograms, variantOf } from './build.ts';
import { destroyAll, eventually, isGroupActive, TestNode } from './node.ts';

/** Third byte of the pair's addresses. */
const BASE = 90;

let present: ReturnType<typeof buildPrograms>;
let older: ReturnType<typeof buildPrograms>;
let future: ReturnType<typeof buildPrograms>;
const nodes: TestNode[] = [];

const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');

/** A module of the kept copy, in the place of the present one. */
function kept(name: string): string {
  return read(`../../support/codec-v1/${name}.ts`)
    .replaceAll('../../../src/core/kernel/', '../kernel/')
    .replaceAll('../../../src/core/link/', './');
}

const speaking = (min: number, max: number): string =>
  read('../../../src/core/link/types.ts')
    .replace(/PROTOCOL_VERSION = \d+/, `PROTOCOL_VERSION = ${max}`)
    .replace(/PROTOCOL_VERSION_MIN = \d+/, `PROTOCOL_VERSION_MIN = ${min}`);

/** What the other modules ask the codec for since reports have fields behind their end, which came with version 2. */
const NO_TAIL = `
export const VERSION_WITH_TAIL = 2;
export const encodeReportTail = () => new Uint8Array(0);
`;

beforeAll(() => {
  present = buildPrograms();
  older = variantOf(present, {
    'core/link/types.ts': speaking(1, 1),
    'core/link/frame.ts': kept('frame'),
    'core/link/report.ts': `${kept('report')}${NO_TAIL}`,
    'core/link/bytes.ts': kept('bytes'),
  });
  future = variantOf(present, { 'core/link/types.ts': speaking(3, 4) });
});

afterEach(async () => {
  await destroyAll(nodes);
});

afterAll(() => {
  for (const { root } of [present, older, future]) rmSync(root, { recursive: true, force: true });
});

function start(first: typeof present, second: typeof present, base: number): [TestNode, TestNode] {
  const pair: [TestNode, TestNode] = [
    TestNode.make(first.root, first.dist, 0, base, 800),
    TestNode.make(second.root, second.dist, 1, base, 800),
  ];
  nodes.push(...pair);
  for (const node of pair) node.start();
  return pair;
}

it('exchanges, swacts and fails over between the two', async () => {
  const [a, b] = start(present, older, BASE);
  for (const node of [a, b])
    await node.until(
      'both agree',
      15_000,
      (view) => view.peer?.exchanged === true && isGroupActive(view, 'everywhere'),
    );
  const active = await eventually('app is active', 15_000, async () => {
    for (const node of [a, b]) {
      const view = await node.view();
      if (view !== null && isGroupActive(view)) return node;
    }
    return null;
  });
  const other = active === a ? b : a;
  const command = { kind: 'swact', node: active.name, group: '', why: 'versions', forMs: 0 };
  await active.request('command', { command });
  await other.until('app has moved', 10_000, (view) => isGroupActive(view));
  await active.until('it is standby here', 10_000, (view) => !isGroupActive(view));
  await other.cut();
  await active.until('app is taken over', 10_000, (view) => isGroupActive(view));
  other.boot();
  await other.until('they meet again', 15_000, (view) => view.peer?.exchanged === true);
});

it('tells on both sides that no version is common', async () => {
  const [a, b] = start(present, future, BASE + 1);
  for (const node of [a, b])
    await node.until('a reason', 15_000, (view) =>
      view.links.some(({ reason }) => reason.includes('version of the protocol')),
    );
});
