/**
 * `smctl init` and `join` on two fresh machines that speak IPv6: `ipv6.ts DIRECTORY PACKAGE`, as process 1 of a rack. The
 * last line is JSON: the links as each node sees them, and where the shop runs.
 */
import { bootMachines } from './fresh.ts';

const [, , directory = '', packageFile = ''] = process.argv;
const NAMES = ['controller-0', 'controller-1'];
const BUNDLE = '/etc/sm/join-controller-1.json';
const machines = await bootMachines(directory, packageFile, NAMES);
const [first, second] = machines;

for (const [index, machine] of machines.entries()) {
  const host = index + 1;
  await machine.shell(`ip address flush dev link0 scope global
    ip address flush dev link1 scope global
    ip address add fd77:1::${host}/64 dev link0
    ip address add fe80::77:${host}/64 dev link1`);
  await machine.shell('dpkg --install /tmp/sm-pair_*.deb');
  await machine.shell('install -m 755 /usr/lib/sm/demo/sm-worker /etc/init.d/sm-worker');
}
await first!.shell(`smctl init --node controller-0 --peer controller-1 \
  --interface management-interface=fd77:1::1,fd77:1::2 \
  --interface cluster-host-interface=fe80::77:1%link1,fe80::77:2%link1 \
  --interface oam-interface=10.77.3.1,10.77.3.2`);
const bundle = await first!.shell(`base64 -w 0 ${BUNDLE}`);
await second!.shell(`umask 077; echo ${bundle} | base64 -d >${BUNDLE}; smctl join --bundle ${BUNDLE}`);
for (const machine of machines) await machine.shell('/etc/init.d/sm start');

interface View {
  readonly links: readonly { readonly role: string; readonly up: boolean; readonly heard: boolean }[];
}

/** By the control socket, for the words of `smctl status` are for people. */
const ASK = `const s = require('net').connect('/run/sm/control.sock'); let t = '';
  s.on('data', (d) => { t += d; if (t.includes('\\n')) { console.log(JSON.stringify(JSON.parse(t.split('\\n')[0]).result)); process.exit(); } });
  s.write('{"id":1,"method":"view"}\\n');`;
const view = async (machine: (typeof machines)[number]) =>
  JSON.parse(await machine.shell('node -e "$1"', ASK)) as View;

const active = `smctl status | grep "^shop-services.* active" && smctl status | grep "^web-services.* active .*active"`;
await first!.shell(`timeout 60 sh -c 'until ${active}; do sleep 0.5; done' >/dev/null`);
const heard: string[][] = [];
for (const machine of machines) {
  const { links } = await view(machine);
  heard.push(links.filter((link) => link.up && link.heard).map(({ role }) => role));
}
for (const machine of machines) await machine.powerOff();
console.log(JSON.stringify({ heard }));
