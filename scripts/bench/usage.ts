/** What a manager's processes use of a machine, as the kernel tells it, without the scripts that they start. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabNode } from '../../src/lab/node.ts';

/** Jiffies of /proc per second: a constant of the kernel's interface. */
const TICKS_PER_SECOND = 100;

export const PROCESSES = ['sm', 'sm-watchdog'] as const;

export interface Usage {
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** A line of /proc/PID/stat. */
export function parseStat(line: string): { name: string; cpuMs: number; rssPages: number } {
  // The name in parentheses may hold anything. Behind it begins field 3.
  const [from, to] = [line.indexOf('('), line.lastIndexOf(')')];
  const fields = line.slice(to + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    name: line.slice(from + 1, to),
    cpuMs: (1000 * ticks) / TICKS_PER_SECOND,
    rssPages: Number(fields[21]),
  };
}

/** `text`: /proc/PID/stat, and after it /proc/PID/status. */
export function parseUsage(text: string): Usage {
  const [stat = ''] = text.split('\n');
  const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]);
  return { cpuMs: parseStat(stat).cpuMs, rssMb: rssKb / 1024 };
}

export async function usageOf(node: LabNode): Promise<Record<(typeof PROCESSES)[number], Usage>> {
  const usage = async (lock: string): Promise<Usage> => {
    const { pid } = JSON.parse(readFileSync(join(node.directory, 'run', lock), 'utf8')) as { pid: number };
    return parseUsage(await node.machine.run(['cat', `/proc/${pid}/stat`, `/proc/${pid}/status`]));
  };
  return { sm: await usage('sm.lock'), 'sm-watchdog': await usage('sm-watchdog.lock') };
}

/** Share of a core, %, that both processes together use meanwhile; for each node. */
export async function managerShares(nodes: readonly LabNode[], windowMs: number): Promise<number[]> {
  const total = async (node: LabNode) => {
    const usage = await usageOf(node);
    return PROCESSES.reduce((sum, each) => sum + usage[each].cpuMs, 0);
  };
  const before = await Promise.all(nodes.map(total));
  await sleep(windowMs);
  const after = await Promise.all(nodes.map(total));
  return after.map((cpuMs, i) => (100 * (cpuMs - (before[i] ?? 0))) / windowMs);
}
