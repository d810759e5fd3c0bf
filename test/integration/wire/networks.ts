/**
 * A pair of real nodes on a network of the given kind: `networks.ts KIND DIRECTORY PROGRAMS`, as process 1 of a rack. Prints
 * one line of JSON: what the nodes told, and what the stamps of the services say.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INTERFACE_ROLES } from '../../../src/core/kernel/names.ts';
import { monotonicMs } from '../../../src/lab/machine.ts';
import { eventually, LabNode, type NodeView } from '../../../src/lab/node.ts';
import { changedLives, settled } from '../../../src/lab/pair.ts';
import { NamespaceRack } from '../../../src/lab/rack.ts';
import { allActiveAt, bothActiveMs } from '../../../src/lab/stamps.ts';
import { Witness } from '../../../src/lab/witness.ts';

const [, , kind = '', root = '', programs = ''] = process.argv;
const DEMO = fileURLToPath(new URL('../../../db/definitions/demo', import.meta.url));
const GROUP = 'shop-services';
const SHOP = ['shop-store', 'shop-cache', 'shop-queue', 'shop-worker', 'shop-web'];
const LIMIT_MS = 15_000;
/** Short enough for the test, long enough for a start of `sm` to come before its end: questions, a second each. */
const DAD_QUESTIONS = 4;

interface Network {
  /** Address of the node with this index. */
  readonly address: (node: 0 | 1) => string;
  /** '' = unicast. */
  readonly group: (node: 0 | 1) => string;
}

const ipv4 =
  (link: number): Network['address'] =>
  (node) =>
    `10.77.${link + 1}.${node + 1}`;
const ula =
  (link: number): Network['address'] =>
  (node) =>
    `fd77:${link + 1}::${node + 1}`;
/** The same two on every link: only the zone tells them apart. */
const linkLocal =
  (link: number): Network['address'] =>
  (node) =>
    `fe80::77:${node + 1}%link${link}`;
const unicast: Network['group'] = () => '';

const NETWORKS: Readonly<Record<string, readonly Network[]>> = {
  ipv6: [
    { address: ula(0), group: unicast },
    { address: linkLocal(1), group: unicast },
    { address: linkLocal(2), group: unicast },
  ],
  mixed: [
    { address: ipv4(0), group: unicast },
    { address: ula(1), group: unicast },
    { address: linkLocal(2), group: unicast },
  ],
  multicast: [
    { address: ipv4(0), group: () => '239.77.0.1' },
    { address: ula(1), group: () => 'ff15::77:1' },
    // Each node in another group.
    { address: ipv4(2), group: (node) => `239.77.2.${node + 1}` },
  ],
};

const networks = NETWORKS[kind] ?? [];
const rack = await NamespaceRack.make();
const key = randomBytes(64);
const nodes = ([0, 1] as const).map((index) => {
  const options = { name: `controller-${index}`, index, root, definitions: DEMO, key, programs };
  mkdirSync(root, { recursive: true });
  const node = new LabNode(options, rack);
  const rows = networks.map(({ address, group }, link) => {
    const own = address(index);
    const peer = address(index === 0 ? 1 : 0).replace(/%.*/, '');
    return `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_TYPE = '${own.includes(':') ? 'ipv6' : 'ipv4'}-udp',
      NETWORK_ADDRESS = '${own}', NETWORK_PEER_ADDRESS = '${peer}', NETWORK_MULTICAST = '${group(index)}'
      WHERE SERVICE_DOMAIN_INTERFACE = '${INTERFACE_ROLES[link]}';`;
  });
  writeFileSync(join(node.directory, 'definitions', '99-own-network.sql'), `${rows.join('\n')}\n`);
  return node;
}) as [LabNode, LabNode];
const witness = new Witness(new Map(nodes.map((node) => [node.name, node.services])));
const findings: Record<string, unknown> = {};

const addCommand = (node: LabNode, link: number) => {
  const [address = ''] = networks[link]?.address(node.index).split('%') ?? [];
  return ['ip', 'address', 'add', `${address}/64`, 'dev', `link${link}`];
};

/** On IPv6 every address is tentative at first. */
async function boot(node: LabNode): Promise<void> {
  await node.boot(rack);
  for (const [link, { address }] of networks.entries()) {
    if (!address(node.index).includes(':')) continue;
    const setting = `net.ipv6.conf.link${link}.dad_transmits=${DAD_QUESTIONS}`;
    await node.machine.run(['sysctl', '-qw', setting]);
    await node.machine.run(addCommand(node, link));
  }
  node.machine.pressStart();
}

const linkOf = (view: NodeView, link: number) =>
  view.links.find(({ role }) => role === INTERFACE_ROLES[link]);
const word = (view: NodeView, link: number) => {
  const found = linkOf(view, link);
  return found?.up === true ? (found.heard ? 'heard' : 'not heard') : (found?.reason ?? 'unknown');
};
const words = (view: NodeView) => networks.map((_, link) => word(view, link));
const until = (node: LabNode, link: number, expected: RegExp) =>
  node.until(`link ${link} is ${expected}`, LIMIT_MS, (view) => expected.test(word(view, link)));

/** Does something to a link and undoes it; tells what the node said meanwhile. */
async function disturb(
  name: string,
  [node, link]: [LabNode, number],
  [change, shown]: [() => Promise<unknown>, RegExp],
  undo: () => Promise<unknown>,
): Promise<void> {
  const since = monotonicMs();
  await change();
  const view = await until(node, link, shown);
  await undo();
  await until(node, link, /^heard$/);
  findings[name] = { told: word(view, link), lives: changedLives(witness.look().runs, since) };
}

await Promise.all(nodes.map(boot));
const active = await eventually('one is active', LIMIT_MS, () => {
  const { runs } = witness.look();
  return nodes.find((node) => allActiveAt(runs, SHOP, node.name, 0) !== null) ?? null;
});
const standby = nodes.find((node) => node !== active)!;
await settled(active, standby, GROUP, LIMIT_MS);
for (const [link, { group }] of networks.entries())
  if (group(0) === group(1)) await Promise.all(nodes.map((node) => until(node, link, /^heard$/)));
findings.settled = words((await active.view())!);
const log = readFileSync(nodes[0].logFile, 'utf8');
findings.tentative = networks.flatMap((_, link) =>
  log.includes(`on link${link} is tentative: duplicate address detection is not over`) ? [link] : [],
);

const run = (node: LabNode, command: string) => node.machine.run(command.split(' '));
const cable = (state: 'up' | 'cut' | 'unplugged') => () => active.machine.setLink(1, state);
await disturb('cut', [active, 1], [cable('cut'), /^not heard$/], cable('up'));
await disturb('unplugged', [active, 1], [cable('unplugged'), /carrier/], cable('up'));
if (kind !== 'multicast') {
  const add = addCommand(standby, 1);
  const remove = add.map((part) => (part === 'add' ? 'del' : part));
  const off = () => standby.machine.run(remove);
  await disturb('address removed', [standby, 1], [off, /taken off/], () => standby.machine.run(add));
}
if (kind === 'mixed') {
  // The address goes along: the link is the same under another name.
  const rename = async (from: string, to: string) => {
    for (const command of [`set ${from} down`, `set ${from} name ${to}`, `set ${to} up`])
      await run(standby, `ip link ${command}`);
    if (to === 'link1') return;
    await standby.machine.run(addCommand(standby, 1).map((part) => (part === 'link1' ? to : part)));
  };
  await run(standby, 'sysctl -qw net.ipv6.conf.link1.keep_addr_on_down=0');
  await rename('link1', 'renamed');
  await until(standby, 1, /^heard$/);
  findings.renamed = word((await standby.view())!, 1);
}
// One link alone, with the smallest MTU that IPv6 allows: reports have to pass it.
for (const node of nodes) await run(node, 'ip link set dev link0 mtu 1280');
for (const link of [1, 2]) await active.machine.setLink(link, 'cut');
await Promise.all([1, 2].map((link) => until(active, link, /^not heard$/)));
await active.tool('smctl', 'lock', standby.name);
await active.tool('smctl', 'unlock', standby.name);
findings.narrow = words((await active.view())!);
await settled(active, standby, GROUP, LIMIT_MS);
for (const link of [1, 2]) await active.machine.setLink(link, 'up');
await until(standby, 1, /^heard$/);
const at = await active.powerOff();
const taken = await eventually('the other takes over', LIMIT_MS, () =>
  allActiveAt(witness.look().runs, SHOP, standby.name, at),
);
findings.failoverMs = Math.round(taken - at);
await Promise.all(nodes.map((node) => node.end()));
const { runs, damaged } = witness.look();
findings.bothActiveMs = bothActiveMs(runs.filter(({ service }) => SHOP.includes(service)));
findings.damaged = damaged;
console.log(JSON.stringify(findings));
process.exit(0);
