/**
 * Types docs/OPERATING.md on two fresh machines: `walk.ts DIRECTORY PACKAGE`, as process 1 of a rack. Prints what it types
 * and what comes of it, and as last line one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootMachines, type FreshMachine, PROJECT } from './fresh.ts';
import { type Block, blocksOf, parseCopy } from './page.ts';

const [, , directory = '', packageFile = ''] = process.argv;
const machines = await bootMachines(directory, packageFile, ['controller-0', 'controller-1']);

function named(name: string): FreshMachine {
  const machine = machines.find((candidate) => candidate.name === name);
  if (machine === undefined) throw new Error(`there is no machine ${name}`);
  return machine;
}

async function copy(from: FreshMachine, line: string): Promise<void> {
  const { file, host, to } = parseCopy(line)!;
  const content = await from.shell('base64 -w 0 "$1"', file);
  // With the mode that scp -p keeps.
  await named(host).shell(`umask 077; echo ${content} | base64 -d >"$1"`, to);
}

async function type(machine: FreshMachine, { text }: Block): Promise<void> {
  let script = '';
  const enter = async (): Promise<void> => {
    if (script !== '') console.log((await machine.shell(script)).replace(/^/gm, '    '));
    script = '';
  };
  for (const line of text.split('\n')) {
    console.log(`${machine.name}# ${line}`);
    if (parseCopy(line) === null) script += `${line}\n`;
    else {
      await enter();
      await copy(machine, line);
    }
  }
  await enter();
}

interface Status {
  readonly stale: string | null;
  readonly groups: readonly { readonly name: string; readonly on: Readonly<Record<string, string>> }[];
}

/** The nodes on which the shop is active, as the first node tells it; '-' = `sm` does not run there. */
async function shop(): Promise<string> {
  const text = await machines[0]!.shell('smctl status --json 2>/dev/null || true');
  const status = text.startsWith('{') ? (JSON.parse(text) as Status) : null;
  if (status === null || status.stale !== null) return '-';
  const on = status.groups.find(({ name }) => name === 'shop-services')?.on ?? {};
  return Object.keys(on)
    .filter((node) => on[node] === 'active')
    .join('+');
}

async function typeOn(machine: FreshMachine, block: Block): Promise<void> {
  try {
    await type(machine, block);
  } catch (error) {
    const tails = machines.map((each) => each.shell('tail -n 30 /var/log/sm.log').catch(String));
    const logs = (await Promise.all(tails)).join('\n---\n');
    throw new Error(`OPERATING.md:${block.line}, ${machine.name}: ${(error as Error).message}\n${logs}`);
  }
}

const blocks = [];
for (const block of blocksOf(readFileSync(join(PROJECT, 'docs', 'OPERATING.md'), 'utf8'))) {
  for (const machine of block.where === 'both' ? machines : [named(block.where)])
    await typeOn(machine, block);
  blocks.push({ section: block.section, shop: await shop() });
}
for (const machine of machines) await machine.powerOff();
console.log(JSON.stringify({ blocks }));
