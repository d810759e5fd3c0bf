import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProcessWatch } from '../../../src/shell/exec/process-watch.ts';
import { ExecLab, until } from '../../support/exec.ts';

let lab: ExecLab;
beforeEach(() => {
  lab = new ExecLab('off');
});
afterEach(() => lab.close([]));

it('notices the death of a real process within 100 ms, a zombie too', async () => {
  let diedAt = 0;
  const watch = new ProcessWatch({ onDied: () => (diedAt = performance.now()) });
  // The shell never waits for its child: killed, it stays a zombie until the shell ends.
  const parent = spawn('/bin/sh', ['-c', `sleep 60 & echo $! >${lab.file('pid')}; exec sleep 30`]);
  try {
    watch.watch('s', lab.file('pid'));
    await until('the process is seen', () => watch.pid('s') !== null);
    const killedAt = performance.now();
    process.kill(watch.pid('s')!, 'SIGKILL');
    await until('its death is noticed', () => diedAt > 0);
    // One poll is 50 ms; the rest is room for a busy machine.
    expect(diedAt - killedAt).toBeLessThan(400);
  } finally {
    parent.kill('SIGKILL');
    watch.stop();
  }
});

it('keeps the poll cheap with a hundred processes', async () => {
  const watch = new ProcessWatch({ onDied: () => {} });
  const children = Array.from({ length: 20 }, () => spawn('sleep', ['30']));
  try {
    for (const [index, child] of children.entries()) {
      writeFileSync(lab.file(`pid${index}`), `${child.pid}\n`);
      for (let copy = 0; copy < 5; copy++) watch.watch(`s${index}-${copy}`, lab.file(`pid${index}`));
    }
    await until('all are seen', () => children.every((_, index) => watch.pid(`s${index}-4`) !== null));
    const before = process.cpuUsage();
    const start = performance.now();
    await until('half a second', () => performance.now() - start > 500);
    const { user, system } = process.cpuUsage(before);
    // A whole core for this half second would be 500,000; the wait itself is most of what is used.
    expect(user + system).toBeLessThan(250_000);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    watch.stop();
  }
});
