import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CHECK_LIMIT_MS, goEnabled, initialObstacle, REPEAT_MS } from '../../../src/shell/go-enabled.ts';
import type { Log } from '../../../src/shell/ports.ts';
import { programsIn } from '../../../src/shell/programs.ts';
import { silentLog } from './fakes.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-goenabled-'));
  mkdirSync(join(folder, 'checks'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function check(name: string, body: string, mode = 0o755): void {
  writeFileSync(join(folder, 'checks', name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(folder, 'checks', name), mode);
}

/** Repeats come at once; `mend` is called before each. Limits come when the file `late` is there. */
function options(mend: () => void = () => {}) {
  const verdicts: string[] = [];
  const warnings: string[] = [];
  const after = (delayMs: number, work: () => void) => {
    if (delayMs === CHECK_LIMIT_MS) return whenThere(join(folder, 'late'), work);
    expect(delayMs).toBe(REPEAT_MS);
    mend();
    setImmediate(work);
    return () => {};
  };
  const time = { now: () => 0, defer: (work: () => void) => setImmediate(work), after };
  const log: Log = { ...silentLog, warn: (_fields, message) => warnings.push(message) };
  return {
    directory: join(folder, 'checks'),
    runDirectory: folder,
    kernelLife: 'life-1',
    verdict: (obstacle: string) => verdicts.push(obstacle),
    time,
    log,
    verdicts,
    warnings,
  };
}

function whenThere(path: string, work: () => void): () => void {
  let over = false;
  const look = (): void => {
    if (over) return;
    if (existsSync(path)) work();
    else setImmediate(look);
  };
  // Never at once, as no clock does: on a busy machine the file is there before this is asked.
  setImmediate(look);
  return () => {
    over = true;
  };
}

test('nothing to ask lets the node in at once', () => {
  expect(initialObstacle(options())).toBe('');
  expect(initialObstacle({ ...options(), directory: join(folder, 'none') })).toBe('');
  check('10-notes.txt', 'exit 1', 0o644);
  check('.10-hidden', 'exit 1');
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
  expect(asked.verdicts).toEqual(['go-enabled: 20-disk: it ended with exit code 3: disk is not mounted', '']);
});

test('a check that does not end is killed at its limit with all of its process group', async () => {
  check('10-hangs', `sleep 300 & echo $! >${folder}/pid; echo waits for a disk; touch ${folder}/late; wait`);
  const asked = options(() => rmSync(join(folder, 'checks/10-hangs'), { force: true }));
  await goEnabled(asked);
  expect(asked.verdicts[0]).toMatch(/^go-enabled: 10-hangs: it did not end within 30000 ms and was killed/);
  const pid = readFileSync(join(folder, 'pid'), 'utf8').trim();
  const state = (): string => {
    try {
      return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) (.).*$/s, '$1');
    } catch {
      return 'X';
    }
  };
  while (!/[XZ]/.test(state())) await new Promise((resolve) => setImmediate(resolve));
});

test('passed is passed for this life of the kernel, and for no other', async () => {
  check('10-check', 'exit 0');
  await goEnabled(options());
  expect(initialObstacle(options())).toBe('');
  expect(initialObstacle({ ...options(), kernelLife: 'life-2' })).not.toBe('');
});

test('what can not be written down keeps nobody out, and is asked again by the next sm', async () => {
  check('10-check', 'exit 0');
  // As a full file system answers: this is no place for a file, for root neither.
  mkdirSync(join(folder, 'goenabled'));
  const asked = options();
  await goEnabled(asked);
  expect(asked.verdicts).toEqual(['']);
  expect(asked.warnings).toEqual([expect.stringContaining('a restart of sm asks again')]);
  expect(initialObstacle(asked)).not.toBe('');
});

test.each([
  ['everybody', 0o777],
  ['its group', 0o775],
])('what %s may write to keeps the node out: the directory, or a check', async (_, mode) => {
  check('10-check', 'exit 0');
  const checks = join(folder, 'checks');
  chmodSync(checks, mode);
  const directory = options(() => chmodSync(checks, 0o755));
  expect(initialObstacle(directory)).not.toBe('');
  await goEnabled(directory);
  expect(directory.verdicts[0]).toBe(
    `go-enabled: others may write to ${checks}, so nothing is run: run chmod go-w on it`,
  );
  check('20-open', 'exit 0', mode);
  const file = options(() => chmodSync(join(checks, '20-open'), 0o755));
  await goEnabled(file);
  expect(file.verdicts[0]).toMatch(/others may write to .*20-open/);
});

test('what belongs to somebody else keeps the node out', () => {
  check('10-check', 'exit 0');
  const checks = join(folder, 'checks');
  const own = process.geteuid?.() ?? 0;
  expect(programsIn(checks, 9)).toEqual({ ok: true, names: ['10-check'] });
  if (own === 0) {
    chownSync(join(checks, '10-check'), 12_345, 0);
    expect(programsIn(checks, 9)).toEqual({
      ok: false,
      reason: `${checks}/10-check belongs to user 12345, so nothing is run: run chown root on it`,
    });
    return;
  }
  expect(programsIn(checks, 9, own + 1)).toMatchObject({ reason: expect.stringContaining(`user ${own}`) });
});

test('a check that can not be run keeps the node out', async () => {
  writeFileSync(join(folder, 'checks/10-bad'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const bad = options(() => rmSync(join(folder, 'checks/10-bad'), { force: true }));
  await goEnabled(bad);
  expect(bad.verdicts[0]).toMatch(/^go-enabled: 10-bad: it can not be run/);
});

test('more programs than there is a reason for are refused', () => {
  for (const name of ['10-a', '20-b', '30-c']) check(name, 'exit 0');
  expect(programsIn(join(folder, 'checks'), 2)).toMatchObject({
    reason: expect.stringContaining('more than 2'),
  });
});
