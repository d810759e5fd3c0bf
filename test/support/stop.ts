import { readdirSync, readFileSync } from 'node:fs';

const LIMIT_MS = 5000;

/** Sends SIGSTOP and returns when every thread of the process stands still: until then one of them may go on with its work. */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  for (const end = performance.now() + LIMIT_MS; performance.now() < end; ) {
    const threads = readdirSync(`/proc/${pid}/task`);
    if (threads.every((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`) === 'T')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`process ${pid} does not stand still`);
}

/** The name before it may hold anything (proc(5), /proc/pid/stat). */
function stateOf(path: string): string | undefined {
  const text = readFileSync(path, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2)[0];
}
