/** What arrives at the heartbeat ports of a real pair and is not what its peer sent just now changes nothing. */
import { createSecretKey, randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/core/kernel/limits.ts';
import { DROP_ADVICE } from '../../../src/core/link/advice.ts';
import { decodeFrame } from '../../../src/core/link/frame.ts';
import { DROP_CAUSES, type DropCause, type Frame } from '../../../src/core/link/types.ts';
import { readKey } from '../../../src/shell/watchdog/keyring.ts';
import { clusterIdOf, seal } from '../../../src/shell/watchdog/sign.ts';
import { buildPrograms } from './build.ts';
import { destroyAll, eventually, type NodeView, ROLES, type Site, SMALL_SITE, TestNode } from './node.ts';
import { RELAYED_SITE, Relay } from './relay.ts';
import { eventsOf, settled, stateOf } from './settled.ts';

const LIMIT_MS = 15_000;
/** Dead interval: nothing here is about a machine that is too busy. */
const DEAD_MS = 3000;
const BASE = 70;
const COPIES = 5;
const FLOOD = 2000;

let programs: ReturnType<typeof buildPrograms>;
let pairs = 0;
const nodes: TestNode[] = [];
const relays: Relay[] = [];

beforeAll(() => {
  programs = buildPrograms();
});

afterEach(async () => {
  await destroyAll(nodes);
  for (const relay of relays.splice(0)) relay.close();
});

afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

function makePair(site: Site): [TestNode, TestNode] {
  pairs += 1;
  const make = (index: 0 | 1) =>
    TestNode.make(programs.root, programs.dist, index, BASE + pairs, DEAD_MS, site);
  const pair: [TestNode, TestNode] = [make(0), make(1)];
  nodes.push(...pair);
  return pair;
}

async function relayedPair(): Promise<{ pair: [TestNode, TestNode]; relay: Relay }> {
  const pair = makePair(RELAYED_SITE);
  const relay = await Relay.start(BASE + pairs);
  relays.push(relay);
  for (const node of pair) node.start();
  await settled(pair);
  return { pair, relay };
}

function changedByte(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 0x80;
  return copy;
}

/** Datagrams for `target` on a link, by the cause that each has to be dropped for. */
function nonsense(
  pair: readonly TestNode[],
  relay: Relay,
  link: number,
  target: number,
): Map<DropCause, Uint8Array[]> {
  const theirs = relay.copies(link, 1 - target);
  const real = theirs.at(-1) as Uint8Array;
  const decoded = decodeFrame(real);
  const key = readKey(join(pair[target]?.directory ?? '', 'keys'), 'cluster');
  if (!decoded.ok || !key.ok) throw new Error('no frame or no key');
  const { header } = decoded.frame;
  const foreign = { name: 'foreign', id: 'abababab', secret: createSecretKey(randomBytes(64)) };
  // Everything that would matter if it were believed.
  const evil = (change: Partial<Frame['header']>): Frame => ({
    ...decoded.frame,
    header: { ...header, sequence: header.sequence + 1000, announceNumber: 99, leaving: true, ...change },
  });
  return new Map<DropCause, Uint8Array[]>([
    ['truncated', [new Uint8Array(), real.slice(0, 3), real.slice(0, 100), real.slice(0, -1)]],
    ['oversized', [randomBytes(LIMITS.frameBytesMax + 1), Buffer.concat([real, randomBytes(8000)])]],
    [
      'magic',
      [randomBytes(5), randomBytes(256), randomBytes(LIMITS.frameBytesMax)].map((b) => b.fill(1, 0, 1)),
    ],
    ['version', [changedByte(real, 4)]],
    ['malformed', [changedByte(real, 7), Buffer.concat([real, Buffer.alloc(3)])]],
    ['other-cluster', [seal(evil({ clusterId: clusterIdOf('other') }), key.value)]],
    ['unknown-key', [seal(evil({}), foreign)]],
    ['bad-signature', [changedByte(real, -1), seal(evil({}), { ...foreign, id: key.value.id })]],
    ['unsigned', [seal(evil({}), null)]],
    ['own-reflected', relay.copies(link, target).slice(-COPIES)],
    ['wrong-sender', [seal(evil({ sender: 'controller-7' }), key.value)]],
    ['wrong-receiver', [seal(evil({ receiver: 'controller-7' }), key.value)]],
    ['wrong-interface', relay.copies((link + 1) % ROLES.length, 1 - target).slice(-COPIES)],
    ['replayed', theirs.slice(-COPIES)],
    ['wrong-source', [real, randomBytes(100)]],
  ]);
}

async function drops(node: TestNode): Promise<Record<string, number>> {
  const view = (await node.view()) as NodeView;
  const counted = view.shell.watchdog?.counters?.drops ?? [];
  return Object.fromEntries(counted.map(({ role, cause, total }) => [`${role} ${cause}`, total]));
}

function dropLines(node: TestNode): number {
  return node.log.filter((line) => line.includes('datagrams dropped')).length;
}

describe('datagrams that the peer did not send just now', () => {
  it('change nothing, are counted by cause, and do not flood the log', {
    timeout: 4 * LIMIT_MS,
  }, async () => {
    const { pair, relay } = await relayedPair();
    const before = await Promise.all(pair.map(stateOf));
    const expected = new Map<string, number>();
    for (const [target, node] of pair.entries()) {
      for (const [link, role] of ROLES.entries()) {
        const bad = nonsense(pair, relay, link, target);
        expect([...bad.keys()].sort()).toEqual([...DROP_CAUSES].sort());
        for (const [cause, datagrams] of bad) {
          const count = await drops(node).then((all) => all[`${role} ${cause}`] ?? 0);
          expected.set(`${target} ${role} ${cause}`, count + datagrams.length);
          if (cause === 'wrong-source') await relay.injectFromElsewhere(link, target, datagrams);
          else await relay.inject(link, target, datagrams);
        }
      }
    }
    for (const [key, count] of expected) {
      const node = pair[Number(key.slice(0, 1))] as TestNode;
      await eventually(`${count} of ${key}`, LIMIT_MS, async () =>
        ((await drops(node))[key.slice(2)] ?? 0) >= count ? true : null,
      );
    }
    for (let i = 0; i < FLOOD; i += 1) await relay.inject(i % 3, i % 2, [randomBytes(1 + (i % 1500))]);
    expect(await Promise.all(pair.map(stateOf))).toEqual(before);
    // At once for the first of a kind, then one line in ten seconds.
    for (const node of pair) {
      expect(dropLines(node)).toBeGreaterThanOrEqual(DROP_CAUSES.length * ROLES.length);
      expect(dropLines(node)).toBeLessThanOrEqual(3 * DROP_CAUSES.length * ROLES.length);
    }
  });

  it('change nothing either when they are of an earlier life', { timeout: 4 * LIMIT_MS }, async () => {
    const { pair, relay } = await relayedPair();
    const leaver = pair[1];
    leaver.terminate();
    expect(await leaver.exit).toBe(0);
    // Its last words among them: that it leaves, and that nothing of it is active.
    const old = ROLES.map((_role, link) => [...relay.copies(link, 1)]);
    leaver.start();
    await settled(pair);
    const before = await stateOf(pair[0]);
    const count = (await drops(pair[0]))[`${ROLES[0]} replayed`] ?? 0;
    for (const [link, datagrams] of old.entries()) await relay.inject(link, 0, datagrams);
    await eventually('all are counted', LIMIT_MS, async () =>
      ((await drops(pair[0]))[`${ROLES[0]} replayed`] ?? 0) >= count + (old[0]?.length ?? 0) ? true : null,
    );
    expect(await stateOf(pair[0])).toEqual(before);
  });
});

describe('a key that differs on one link', () => {
  const OAM = 'oam-interface';
  const site: Site = {
    ...SMALL_SITE,
    install: (directory, index, base, deadMs) => {
      SMALL_SITE.install(directory, index, base, deadMs);
      const update = `UPDATE SERVICE_DOMAIN_INTERFACES SET AUTH_KEY = 'oam' WHERE SERVICE_DOMAIN_INTERFACE = '${OAM}';`;
      writeFileSync(join(directory, 'definitions', '20-key.sql'), update);
      setKey(directory, Buffer.alloc(64, 1));
    },
  };

  it('takes that link down, says why on both sides, and changes nothing else', {
    timeout: 4 * LIMIT_MS,
  }, async () => {
    const pair = makePair(site);
    for (const node of pair) node.start();
    await settled(pair);
    const before = await Promise.all(pair.map(stateOf));
    setKey(pair[1].directory, Buffer.alloc(64, 2));
    for (const node of pair) {
      const view = await node.until('that link is not heard, for a reason', LIMIT_MS, ({ links }) =>
        links.some(({ role, heard, reason }) => role === OAM && !heard && reason !== ''),
      );
      expect(view.links.find(({ role }) => role === OAM)?.reason).toBe(DROP_ADVICE['unknown-key']);
      expect(
        view.links
          .filter(({ heard }) => heard)
          .map(({ role }) => role)
          .sort(),
      ).toEqual(ROLES.filter((role) => role !== OAM).sort());
      const { ENTITY, NAME, REASON } = eventsOf(node).at(-1) ?? {};
      expect({ ENTITY, NAME, REASON }).toEqual({
        ENTITY: 'interface',
        NAME: OAM,
        REASON: DROP_ADVICE['unknown-key'],
      });
    }
    setKey(pair[1].directory, Buffer.alloc(64, 1));
    for (const node of pair) {
      await node.until('all links are heard', LIMIT_MS, ({ links }) => links.every(({ heard }) => heard));
    }
    const events = (state: object) => ({ ...state, events: 0 });
    expect((await Promise.all(pair.map(stateOf))).map(events)).toEqual(before.map(events));
  });
});

/** As an editor or a tool does it: whole or not at all. */
function setKey(directory: string, key: Buffer): void {
  const path = join(directory, 'keys', 'oam');
  writeFileSync(`${path}.new`, key, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
