/**
 * Runs inside a network namespace of its own (namespace.test.ts makes it): real interfaces that lose their carrier, their
 * address, or are deleted. Prints one line of JSON: what was told, and how long it took.
 */
import { execFileSync } from 'node:child_process';
import { LinkMonitor, type LinkState } from '../../../src/shell/watchdog/links.ts';
import { LinkSocket } from '../../../src/shell/watchdog/socket.ts';
import { definition, keyFor, Node, Signal } from './pair.ts';

const GROUPS = ['239.255.7.1', '239.255.7.2'] as const;
const PORT = 22_223;
const TICK_MS = 5;

const signal = new Signal();
const findings: Record<string, unknown> = {};
let stalledMs = 0;

function ip(command: string): void {
  execFileSync('ip', command.split(' '));
}

/** Both ends are ours: a datagram from our own address must not be taken for a fake. */
function acceptOwn(name: string): void {
  for (const setting of ['accept_local=1', 'rp_filter=0'])
    execFileSync('sysctl', ['-qw', `net.ipv4.conf.${name}.${setting}`]);
}

/** `left0`-`right0` and `left1`-`right1`, each a cable between two addresses of this same namespace. */
function cables(): void {
  ip('link set lo up');
  for (const i of [0, 1]) {
    ip(`link add left${i} type veth peer name right${i}`);
    for (const [side, host] of [
      ['left', 1],
      ['right', 2],
    ] as const) {
      ip(`address add 10.77.${i}.${host}/24 dev ${side}${i}`);
      ip(`link set ${side}${i} up`);
      acceptOwn(`${side}${i}`);
    }
  }
  execFileSync('sysctl', ['-qw', 'net.ipv4.conf.all.accept_local=1', 'net.ipv4.conf.all.rp_filter=0']);
}

async function ownEnd(): Promise<void> {
  let state: LinkState = {
    role: 'oam-interface',
    up: false,
    reason: 'nothing told',
    interfaceName: '',
    identity: '',
  };
  const monitor = new LinkMonitor([{ role: 'oam-interface', address: '10.77.0.1' }], (told) => {
    state = told;
    signal.changed();
  });
  monitor.start(100);
  await signal.until(() => state.up, 'up at the start');
  const steps: [string, string, () => boolean][] = [
    ['carrier lost', 'link set right0 down', () => !state.up],
    ['carrier back', 'link set right0 up', () => state.up],
    ['address lost', 'address del 10.77.0.1/24 dev left0', () => !state.up],
    ['address back', 'address add 10.77.0.1/24 dev left0', () => state.up],
    ['taken down', 'link set left0 down', () => !state.up],
    ['put up', 'link set left0 up', () => state.up],
  ];
  for (const [name, command, reached] of steps) {
    ip(command);
    const since = performance.now();
    stalledMs = 0;
    await signal.until(reached, name);
    // Without the time in which a busy machine did not let us run.
    findings[name] = { ms: Math.round(performance.now() - since - stalledMs), reason: state.reason };
  }
  monitor.stop();
}

/** Two links with a group each: no datagram of one is heard on the other; a deleted interface is joined again. */
async function multicast(): Promise<void> {
  const heard = [0, 0];
  const sockets = [0, 1].flatMap((i) =>
    (['left', 'right'] as const).map((side) => {
      const [address, peerAddress] =
        side === 'left' ? [`10.77.${i}.1`, `10.77.${i}.2`] : [`10.77.${i}.2`, `10.77.${i}.1`];
      const endpoint = {
        role: 'oam-interface' as const,
        address,
        peerAddress,
        port: PORT,
        peerPort: PORT,
        multicast: GROUPS[i]!,
      };
      return new LinkSocket(endpoint, {
        datagram: () => {
          if (side === 'right') heard[i]! += 1;
          signal.changed();
        },
        // With both ends in one namespace a socket also hears its own side; that is not the peer.
        wrongSource: () => {},
        state: () => signal.changed(),
      });
    }),
  );
  for (const socket of sockets) socket.open();
  await signal.until(() => sockets.every((socket) => socket.isOpen), 'groups joined');
  const left = [sockets[0]!, sockets[2]!];
  for (const i of [0, 1]) {
    left[i]!.send(Buffer.from('x'));
    await signal.until(() => heard[i] === 1, `group ${i} heard`);
  }
  findings.multicast = heard;
  await Promise.all(sockets.map((socket) => socket.close()));
}

/**
 * A link with a group whose interface is deleted and made anew between two looks: the address is back, the name is the same,
 * and nobody is in the group any more. Frames are sent until one is heard.
 */
async function madeAnew(prefix: string, mask: number, group: string): Promise<string> {
  const [left, right] = [`${prefix}1`, `${prefix}2`];
  const role = 'oam-interface' as const;
  const one = new Node('controller-0', 'controller-1', [definition(role, left, right, { multicast: group })]);
  const two = new Node('controller-1', 'controller-0', [definition(role, right, left, { multicast: group })]);
  keyFor(one, 'pair', two);
  await Promise.all([one.up(), two.up()]);
  const heard = async (what: string) => {
    const before = two.heard(role);
    const sender = setInterval(() => one.wire.send(role, one.frame(role)), TICK_MS);
    await two.signal.until(() => two.heard(role) > before, what).finally(() => clearInterval(sender));
  };
  await heard('the group before');
  const anew = [
    'link delete left1',
    'link add left1 type veth peer name right1',
    `address add ${left}/${mask} dev left1${mask > 32 ? ' nodad' : ''}`,
    `address add ${right}/${mask} dev right1${mask > 32 ? ' nodad' : ''}`,
    'link set left1 up',
    'link set right1 up',
  ];
  execFileSync('ip', ['-batch', '-'], { input: `${anew.join('\n')}\n` });
  for (const side of ['left1', 'right1']) acceptOwn(side);
  await heard('the group afterwards');
  const { drops } = two.wire.counters();
  await Promise.all([one.end(), two.end()]);
  return drops.map(({ cause }) => cause).join();
}

/** A socket opens when its address comes, and counts what can not be sent while the cable has no address. */
async function lateAddress(): Promise<void> {
  const reasons: string[] = [];
  const endpoint = {
    role: 'oam-interface' as const,
    address: '10.77.1.9',
    port: PORT,
    peerAddress: '10.99.0.1',
    peerPort: PORT,
    multicast: '',
  };
  const socket = new LinkSocket(endpoint, {
    datagram: () => {},
    wrongSource: () => {},
    state: (_open, reason) => {
      reasons.push(reason);
      signal.changed();
    },
  });
  socket.send(Buffer.from('x'));
  socket.open();
  await signal.until(() => reasons.length === 1, 'the reason');
  ip('address add 10.77.1.9/24 dev left1');
  await signal.until(() => socket.isOpen, 'open');
  socket.send(Buffer.from('x'));
  await signal.until(() => socket.counters.failed.ENETUNREACH === 1, 'the failed send');
  findings.late = { reasons, failed: socket.counters.failed };
  await socket.close();
}

// Errors of a send are counted, not told: looked at again and again.
let tickedAt = performance.now();
const tick = setInterval(() => {
  stalledMs = Math.max(stalledMs, performance.now() - tickedAt - TICK_MS);
  tickedAt = performance.now();
  signal.changed();
}, TICK_MS);
cables();
await ownEnd();
await multicast();
const byIpv4 = await madeAnew('10.77.1.', 24, GROUPS[1]);
for (const [name, address] of [
  ['left1', 'fd77::1'],
  ['right1', 'fd77::2'],
])
  ip(`address add ${address}/64 dev ${name} nodad`);
findings.anew = [byIpv4, await madeAnew('fd77::', 64, 'ff12::77:1')];
await lateAddress();
clearInterval(tick);
process.stdout.write(`${JSON.stringify(findings)}\n`);
