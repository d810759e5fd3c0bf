/** Nothing that tests, lab, demo or benches configure can end the machine that they run on. */
import { expect, test } from 'vitest';
import { readSources } from './project.ts';

/** Configuration, or a call with what a configuration would hold, that arms something. */
const ARMS = /selfFence['"]?:\s*['"]?(?:reboot|sysrq)|watchdogDevice['"]?:\s*['"]?\/(?!w['"\n])/;
/** The ports' own tests, which hand in stand-ins, and what explains the keys. */
const EXCEPT = new Set(['test/unit/shell/self-fence.test.ts', 'test/unit/config/config.test.ts']);

test('the rule finds what it is for', () => {
  for (const text of [
    'selfFence: reboot',
    "{ selfFence: 'sysrq' }",
    '"selfFence": "reboot"',
    'watchdogDevice: /dev/watchdog',
  ])
    expect(ARMS.test(text), text).toBe(true);
  for (const text of ['selfFence: processes', 'watchdogDevice: null'])
    expect(ARMS.test(text), text).toBe(false);
});

test('no test, lab, demo or bench arms a self-fence', () => {
  const sources = readSources((path) => /^(?:test|scripts|src\/lab|db)\//.test(path) && !EXCEPT.has(path));
  const found = sources.filter(({ path, text }) => path !== 'test/tidy/armed.test.ts' && ARMS.test(text));
  expect(found.map(({ path }) => path)).toEqual([]);
  expect(sources.some(({ path }) => path === 'src/lab/node.ts')).toBe(true);
});
