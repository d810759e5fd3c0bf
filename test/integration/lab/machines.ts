/**
 * Two machines that both run a stamping daemon, which is what must never happen, on the rack that the first argument
 * names. Prints one line of JSON: what the witness saw, and what power-off and cuts did.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine, monotonicMs } from '../../../src/lab/machine.ts';
import { eventually } from '../../../src/lab/node.ts';
import { LoopbackRack, NamespaceRack } from '../../../src/lab/rack.ts';
import { bothActiveMs } from '../../../src/lab/stamps.ts';
import { Witness } from '../../../src/lab/witness.ts';

const [, , isolation, root = ''] = process.argv;
const STAMP = join(import.meta.dirname, '../../../scripts/demo/sm-stamp');
const NAMES = ['a', 'b'] as const;
const LIMIT_MS = 5000;

const rack = isolation === 'namespaces' ? await NamespaceRack.make() : new LoopbackRack();
const directories = new Map(NAMES.map((name) => [name, join(root, name)]));
for (const directory of directories.values()) mkdirSync(join(directory, 'run'), { recursive: true });
const witness = new Witness(directories);
const findings: Record<string, unknown> = {};

async function boot(index: 0 | 1): Promise<Machine> {
  const name = NAMES[index];
  const directory = join(root, name);
  const files = ['--file', join(directory, 'shop.stamps'), '--pid-file', join(directory, 'shop.pid')];
  const program = [STAMP, '--seconds', '20', ...files];
  const machine = await rack.boot({ name, index, directory, program, log: join(root, 'log') });
  const before = lives(name).length;
  machine.pressStart();
  await eventually(`${name} stamps`, LIMIT_MS, () => (lives(name).length > before ? true : null));
  return machine;
}

const ATTEMPTS_MAX = 10;

const lives = (name: string) => witness.look().runs.filter(({ node }) => node === name);
const lastStamp = (name: string) => lives(name).at(-1)?.lastMs ?? 0;

/** Waits until the node has stamped after this moment. */
const stampAfter = (name: string, atMs: number) =>
  eventually(`${name} goes on`, LIMIT_MS, () => (lastStamp(name) > atMs ? true : null));

/** From `a`, whether a port of `b` where nobody listens refuses us. */
async function refuses(a: Machine, link: number): Promise<boolean> {
  const connect = `const s=require('net').connect(9,'${rack.address(link, 1)}');s.on('error',(e)=>{console.log(e.code);process.exit()});setTimeout(()=>process.exit(),400)`;
  return (await a.run([process.execPath, '-e', connect])).trim() === 'ECONNREFUSED';
}

/** As expected, or not: a link that came back needs a moment for its neighbours, and a first packet may be lost. */
async function reaches(a: Machine, link: number, expected: boolean): Promise<boolean> {
  for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
    if ((await refuses(a, link)) === expected) return expected;
  }
  return refuses(a, link);
}

const a = await boot(0);
let b = await boot(1);
// Longer than what the judge has to see: an overlap is counted from stamp to stamp.
await stampAfter('b', monotonicMs() + 200);
findings.bothActiveMs = bothActiveMs(witness.look().runs);

if (isolation === 'namespaces') {
  const carrier = async () => (await a.run(['cat', '/sys/class/net/link1/carrier']).catch(() => '?')).trim();
  const cuts: unknown[] = [];
  for (const state of ['up', 'cut', 'up', 'unplugged', 'up'] as const) {
    await a.setLink(1, state);
    cuts.push([state, await carrier(), await reaches(a, 1, state === 'up'), await reaches(a, 2, true)]);
  }
  findings.cuts = cuts;
}

const offMs = await b.powerOff();
await stampAfter('a', monotonicMs() + 200);
findings.stampsAfterPowerOffMs = Math.max(0, lastStamp('b') - offMs);
witness.restarted('b');
b = await boot(1);
findings.livesOfB = lives('b').length;
findings.livesOfA = lives('a').length;
await Promise.all([a.powerOff(), b.powerOff()]);
const endMs = monotonicMs();
await new Promise((resolve) => setTimeout(resolve, 100));
findings.stampsAfterEnd = Math.max(lastStamp('a'), lastStamp('b')) > endMs;
console.log(JSON.stringify(findings));
process.exit(0);
