/** A fence agent, and what it started, ends within its limit though nobody is there to end it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isRunning, until } from '../../support/exec.ts';
import { ROOT } from '../../tidy/project.ts';

let folder: string;
let mine: number[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-agent-'));
  mine = [];
});
afterEach(() => {
  for (const pid of mine) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, maxRetries: 5 });
});

/** Starts an agent that ends for no signal but KILL, and has a child that does so too. */
async function inMidShot(limitMs: number) {
  const agent = join(folder, 'fence_slow');
  const script = `#!/bin/sh
cat > ${folder}/input
trap '' TERM ALRM HUP
sleep 1000 & echo $$ $! > ${folder}/new; mv ${folder}/new ${folder}/pids
wait
`;
  writeFileSync(agent, script);
  chmodSync(agent, 0o755);
  const program = join(folder, 'arbiter.mts');
  writeFileSync(
    program,
    `import { runAgent } from '${ROOT}/src/shell/arbiter/agent-process.ts';
void runAgent({ path: '${agent}', input: [['action', 'off']], limitMs: ${limitMs} });
`,
  );
  const arbiter = spawn(process.execPath, ['--import', 'tsx', program], { cwd: ROOT, stdio: 'ignore' });
  mine.push(arbiter.pid as number);
  await until('the agent runs', () => existsSync(join(folder, 'pids')));
  const agents = readFileSync(join(folder, 'pids'), 'utf8').trim().split(' ').map(Number);
  mine.push(...agents);
  expect(readFileSync(join(folder, 'input'), 'utf8')).toBe('action=off\n');
  expect(agents.map(isRunning)).toEqual([true, true]);
  return { arbiter, agents };
}

test('with sm-arbiter, though it is killed', async () => {
  const { arbiter, agents } = await inMidShot(600_000);
  const exited = once(arbiter, 'exit');
  arbiter.kill('SIGKILL');
  await exited;
  await until('the agent and its child are gone', () => !agents.some(isRunning));
});

test('at its limit, though sm-arbiter hangs', async () => {
  const { arbiter, agents } = await inMidShot(2000);
  arbiter.kill('SIGSTOP');
  await until('the agent and its child are gone', () => !agents.some(isRunning));
  expect(isRunning(arbiter.pid as number)).toBe(true);
});

test('with what holds its limit, if that is killed; what it started, when sm-arbiter looks', async () => {
  const { arbiter, agents } = await inMidShot(600_000);
  arbiter.kill('SIGSTOP');
  const [agent = 0] = agents;
  const timeout = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${agent}/status`, 'utf8'))?.[1]);
  expect(readFileSync(`/proc/${timeout}/comm`, 'utf8')).toBe('timeout\n');
  process.kill(timeout, 'SIGKILL');
  await until('the agent is gone', () => !isRunning(agent));
  arbiter.kill('SIGCONT');
  await until('its child is gone', () => !agents.some(isRunning));
});
