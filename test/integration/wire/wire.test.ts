/** Real sockets on loopback: both directions, every kind of bad datagram, keys that differ, keys that change. */
import { randomBytes } from 'node:crypto';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised';
import { afterEach, describe, expect, test } from 'vitest';
import type { InterfaceRole } from '../../../src/core/kernel/names.ts';
import { DROP_ADVICE } from '../../../src/core/link/advice.ts';
import { KeyRing } from '../../../src/shell/watchdog/keyring.ts';
import { seal } from '../../../src/shell/watchdog/sign.ts';
import { definition, keyFor, loopback, Node, PORT, pair, ROLES } from './pair.ts';

const nodes: Node[] = [];
const sockets: SocketAsPromised[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.end()));
  await Promise.all(sockets.splice(0).map((socket) => socket.close()));
});

async function started(made: [Node, Node]): Promise<[Node, Node]> {
  nodes.push(...made);
  await Promise.all(made.map((node) => node.up()));
  return made;
}

/** One frame from `from` is heard by `to` on this link. */
async function heard(from: Node, to: Node, role: InterfaceRole): Promise<void> {
  const before = to.heard(role);
  from.wire.send(role, from.frame(role));
  await to.signal.until(() => to.heard(role) > before, `${to.name} hears ${role}`);
}

/** All that was sent to `to` on this link before has been judged. */
async function droppedAs(from: () => void, to: Node, role: InterfaceRole, cause: string): Promise<void> {
  const before = to.dropped(role)[cause] ?? 0;
  from();
  const limit = performance.now() + 5_000;
  while ((to.dropped(role)[cause] ?? 0) === before) {
    if (performance.now() > limit) expect.fail(`no ${cause} on ${role}: ${JSON.stringify(to.dropped(role))}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a pair', () => {
  test('hears each other on three links', async () => {
    const [one, two] = await started(pair());
    for (const role of ROLES) {
      await heard(one, two, role);
      await heard(two, one, role);
    }
    expect(two.frames[0]?.frame.header).toMatchObject({ sender: 'controller-0', sequence: 1 });
    expect(one.wire.counters().drops).toEqual([]);
    expect(one.wire.counters().links[0]).toMatchObject({ received: 1, failed: {} });
  });

  test('hears each other by IPv6', async () => {
    const role = 'management-interface';
    const own = { port: PORT + 1, peerPort: PORT + 2 };
    const other = { port: PORT + 2, peerPort: PORT + 1 };
    const one = new Node('controller-0', 'controller-1', [definition(role, '::1', '0:0::1', own)]);
    const two = new Node('controller-1', 'controller-0', [definition(role, '0:0::1', '::1', other)]);
    keyFor(one, 'pair', two);
    await started([one, two]);
    await heard(one, two, role);
    await heard(two, one, role);
  });

  test('an unsigned link works where both say so', async () => {
    const role = 'oam-interface';
    const [one, two] = await started(pair({ [role]: { authType: 'none', authKey: '' } }));
    await heard(one, two, role);
  });
});

describe('keys', () => {
  test('one that differs on one link silences that link on both sides, with the reason, and nothing else', async () => {
    const [one, two] = pair({ 'oam-interface': { authKey: 'oam' } });
    keyFor(one, 'oam');
    keyFor(two, 'oam');
    await started([one, two]);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      await droppedAs(
        () => from.wire.send('oam-interface', from.frame('oam-interface')),
        to,
        'oam-interface',
        'unknown-key',
      );
      expect(to.wire.silenceReason('oam-interface')).toBe(DROP_ADVICE['unknown-key']);
      for (const role of ['management-interface', 'cluster-host-interface'] as const) {
        await heard(from, to, role);
        expect(to.wire.silenceReason(role)).toBe('');
      }
      expect(to.heard('oam-interface')).toBe(0);
    }
  });

  test('a key that is missing takes its own link down, sends nothing, and brings it up when it comes', async () => {
    const [one, two] = pair({ 'oam-interface': { authKey: 'oam' } });
    nodes.push(one, two);
    keyFor(two, 'oam');
    await two.up();
    one.wire.start();
    await one.signal.until(() => one.links.size === ROLES.length, 'all links told');
    expect(one.links.get('oam-interface')).toMatch(/oam does not exist.*smctl key new oam/);
    expect(one.links.get('management-interface')).toBe('up');
    one.wire.send('oam-interface', one.frame('oam-interface'));
    await heard(one, two, 'management-interface');
    expect(one.wire.counters().links.find(({ role }) => role === 'oam-interface')?.sent).toBe(0);

    copyFileSync(join(two.directory, 'oam'), join(one.directory, 'oam'));
    one.wire.upkeep();
    expect(one.links.get('oam-interface')).toBe('up');
    await heard(one, two, 'oam-interface');
  });

  test('are rotated without losing a frame', async () => {
    const role = 'management-interface';
    const rotation = { authKey: 'new', authKeyPrevious: 'pair' };
    const [one, two] = pair();
    const later = new Node(
      'controller-1',
      'controller-0',
      two.interfaces.map((link) => ({ ...link, ...rotation })),
    );
    nodes.push(one, two, later);
    copyFileSync(join(one.directory, 'pair'), join(later.directory, 'pair'));
    keyFor(later, 'new');
    await one.up();
    await later.up();
    await heard(one, later, role);
    // The other way round the new key is not there yet; a file that is replaced is taken in by itself.
    await droppedAs(() => later.wire.send(role, later.frame(role)), one, role, 'unknown-key');
    copyFileSync(join(later.directory, 'new'), join(one.directory, '.draft'));
    renameSync(join(one.directory, '.draft'), join(one.directory, 'pair'));
    one.wire.upkeep();
    await heard(later, one, role);
    await heard(one, later, role);
  });
});

describe('bad datagrams', () => {
  const role = 'management-interface';

  /** A node and, in the place of its peer, a socket that sends what it likes from the right address. */
  async function attacked() {
    const [address, peerAddress] = [loopback(), loopback()];
    const node = new Node('controller-0', 'controller-1', [definition(role, address, peerAddress)]);
    const peer = new Node('controller-1', 'controller-0', [definition(role, peerAddress, address)]);
    nodes.push(node, peer);
    keyFor(node, 'pair', peer);
    keyFor(node, 'foreign');
    await node.up();
    const socket = DgramAsPromised.createSocket('udp4');
    sockets.push(socket);
    await socket.bind({ address: peerAddress, port: PORT });
    const ring = new KeyRing(node.directory);
    const key = (name: string) => {
      const result = ring.get(name);
      if (!result.ok) throw new Error(result.error.message);
      return result.value;
    };
    const send = (bytes: Uint8Array) => void socket.send(bytes, PORT, address).catch(() => undefined);
    const good = (change = {}) => seal(peer.frame(role, change), key('pair'));
    return { node, peer, send, good, key, address, peerAddress };
  }

  test('are dropped by cause before anything is touched, and the link goes on', async () => {
    const { node, peer, send, good, key } = await attacked();
    const replayed = good();
    send(replayed);
    await node.signal.until(() => node.frames.length === 1, 'the first frame');
    const forged = good();
    forged[forged.length - 1]! ^= 1;
    const attacks: [string, Uint8Array][] = [
      ['bad-signature', forged],
      ['bad-signature', seal(peer.frame(role), { ...key('foreign'), id: key('pair').id })],
      ['unknown-key', seal(peer.frame(role), key('foreign'))],
      ['unsigned', seal(peer.frame(role), null)],
      ['truncated', good().subarray(0, 200)],
      ['oversized', new Uint8Array(9_000)],
      ['magic', randomBytes(256)],
      ['replayed', replayed],
      ['other-cluster', good({ clusterId: 'ffffffffffffffff' })],
      ['own-reflected', good({ sender: 'controller-0', processLife: node.life })],
      ['wrong-sender', good({ sender: 'controller-2' })],
      ['wrong-receiver', good({ receiver: 'controller-2' })],
      ['wrong-interface', good({ interfaceRole: 'oam-interface' })],
      ['version', Uint8Array.from(good()).fill(9, 4, 5)],
      ['malformed', Uint8Array.from(good()).fill(0xff, 7, 8)],
    ];
    for (const [cause, datagram] of attacks) await droppedAs(() => send(datagram), node, role, cause);
    expect(node.frames).toHaveLength(1);
    expect(node.duplicates).toEqual([]);
    send(good());
    await node.signal.until(() => node.frames.length === 2, 'a good frame after all of them');
  });

  test('from another address, or another port of the peer, are told apart', async () => {
    const { node, good, address, peerAddress } = await attacked();
    for (const from of [loopback(), peerAddress]) {
      const stranger = DgramAsPromised.createSocket('udp4');
      sockets.push(stranger);
      await stranger.bind({ address: from, port: 0 });
      await droppedAs(() => void stranger.send(good(), PORT, address), node, role, 'wrong-source');
    }
    expect(node.frames).toEqual([]);
  });

  test('a second node with our name is told, not dropped', async () => {
    const { node, send, good } = await attacked();
    const twin = 'ab'.repeat(16);
    send(good({ sender: 'controller-0', processLife: twin }));
    await node.signal.until(() => node.duplicates.length > 0, 'the twin');
    expect(node.duplicates).toEqual([twin]);
    expect(node.frames).toEqual([]);
  });

  test('a late frame of the peer that was before is a replay', async () => {
    const { node, send, good } = await attacked();
    const [before, after] = ['01'.repeat(16), '02'.repeat(16)];
    for (const life of [before, after]) {
      send(good({ processLife: life }));
      await node.signal.until(() => node.frames.at(-1)?.frame.header.processLife === life, life);
      node.wire.confirmPeer(life);
    }
    await droppedAs(() => send(good({ processLife: before })), node, role, 'replayed');
  });

  test('that were recorded say as little to a restarted watchdog as to the one before', async () => {
    const role = 'management-interface';
    const [one, two] = await started(pair());
    const announcing = (life: string) => () =>
      one.wire.send(role, one.frame(role, { processLife: life, announceNumber: 5, sequence: 7 }));
    const ended = 'aa'.repeat(16);
    const present = 'bb'.repeat(16);
    for (const life of [ended, present]) {
      const before = two.heard(role);
      announcing(life)();
      await two.signal.until(() => two.heard(role) > before, 'the announcement, when it is new');
      two.wire.confirmPeer(life);
    }
    const lives = JSON.parse(JSON.stringify(two.wire.lives()));
    expect(lives.own).toEqual([two.life]);
    await two.wire.stop();
    const successor = new Node(two.name, two.peer, two.interfaces);
    copyFileSync(join(two.directory, 'pair'), join(successor.directory, 'pair'));
    nodes.push(successor);
    successor.wire.recall(lives);
    await successor.up();
    for (const life of [ended, present]) await droppedAs(announcing(life), successor, role, 'replayed');
    const own = () =>
      one.wire.send(role, one.frame(role, { sender: two.name, receiver: one.name, processLife: two.life }));
    await droppedAs(own, successor, role, 'own-reflected');
    expect(successor.frames).toEqual([]);
    one.wire.send(role, one.frame(role, { processLife: present, sequence: 8 }));
    await successor.signal.until(() => successor.heard(role) === 1, 'what is new');
  });

  test('in a flood are logged once per cause', async () => {
    const { node, send } = await attacked();
    for (let i = 0; i < 200; i += 1) await droppedAs(() => send(Buffer.alloc(64)), node, role, 'magic');
    expect(node.logged).toHaveLength(1);
    expect(node.logged[0]).toMatchObject({ role, cause: 'magic', count: 1 });
  });
});

test('a socket whose port is taken waits with the reason, and opens when it is free', async () => {
  const role = 'management-interface';
  const address = loopback();
  const squatter = DgramAsPromised.createSocket('udp4');
  await squatter.bind({ address, port: PORT });
  const node = new Node('controller-0', 'controller-1', [definition(role, address, loopback())]);
  nodes.push(node);
  keyFor(node, 'pair');
  node.wire.start();
  await node.signal.until(() => node.links.has(role), 'the reason');
  expect(node.links.get(role)).toBe(`another program uses ${address} port ${PORT}`);
  await squatter.close();
  await node.signal.until(() => node.links.get(role) === 'up', 'the link up');
});
