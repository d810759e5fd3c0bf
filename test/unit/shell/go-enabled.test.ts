import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { goEnabled, initialObstacle } from '../../../src/shell/go-enabled.ts';
import { silentLog } from './fakes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-goenabled-'));
  mkdirSync(join(folder, 'checks'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function check(name: string, body: string, mode = 0o755): void {
  writeFileSync(join(folder, 'checks', name), `#!/bin/sh\n${body}\n`, { mode });
}

/** Repeats come at once; `mend` is called before each. */
function options(mend: () => void = () => {}) {
  const verdicts: string[] = [];
  const after = (_delayMs: number, work: () => void) => {
    mend();
    setImmediate(work);
    return () => {};
  };
  const time = { now: () => 0, defer: (work: () => void) => setImmediate(work), after };
  return {
    directory: join(folder, 'checks'),
    runDirectory: folder,
    kernelLife: 'life-1',
    verdict: (obstacle: string) => verdicts.push(obstacle),
    time,
    log: silentLog,
    verdicts,
  };
}

test('nothing to ask lets the node in at once', () => {
  expect(initialObstacle(options())).toBe('');
  expect(initialObstacle({ ...options(), directory: join(folder, 'none') })).toBe('');
  check('10-notes.txt', 'exit 1', 0o644);
  expect(initialObstacle(options())).toBe('');
});

test('all checks have to pass, by name, and the first that fails is the reason', async () => {
  const mark = join(folder, 'mended');
  check('10-first', 'echo ran >> "$0.log"');
  check('20-disk', `test -e ${mark} || { echo disk is not mounted; exit 3; }`);
  check('30-last', `test -e ${mark} || exit 9`);
  const asked = options(() => writeFileSync(mark, ''));
  expect(initialObstacle(asked)).toBe('go-enabled checks are under way');
  await goEnabled(asked);
  expect(asked.verdicts).toEqual(['go-enabled: 20-disk failed (exit 3): disk is not mounted', '']);
});

test('passed is passed for this life of the kernel, and for no other', async () => {
  check('10-check', 'exit 0');
  await goEnabled(options());
  expect(initialObstacle(options())).toBe('');
  expect(initialObstacle({ ...options(), kernelLife: 'life-2' })).not.toBe('');
});

test('a check that can not be run, and a directory that everybody may write to, keep the node out', async () => {
  writeFileSync(join(folder, 'checks/10-bad'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const bad = options(() => rmSync(join(folder, 'checks/10-bad'), { force: true }));
  await goEnabled(bad);
  expect(bad.verdicts[0]).toMatch(/^go-enabled: 10-bad can not be run/);
  chmodSync(join(folder, 'checks'), 0o777);
  const open = options(() => chmodSync(join(folder, 'checks'), 0o755));
  expect(initialObstacle({ ...open, kernelLife: 'life-3' })).not.toBe('');
  await goEnabled(open);
  expect(open.verdicts[0]).toMatch(/everybody may write/);
});
