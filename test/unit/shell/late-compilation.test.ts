import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MODULE = new URL('../../../src/shell/late-compilation.ts', import.meta.url).href;
const SWITCH_OVER = 500;
const ALL_DAY = 200_000;

/** What is done before a function is called so often, and whether V8 then wants to optimize it. */
const CASES = {
  nothing: [[], SWITCH_OVER, true],
  audits: [[2], SWITCH_OVER, true],
  many: [[9, 1], SWITCH_OVER, false],
  justEnded: [[9, 0], SWITCH_OVER, false],
  oneMoreBegan: [[9, 0, 1, 'later'], SWITCH_OVER, false],
  endedLongAgo: [[9, 0, 'later'], SWITCH_OVER, true],
  runAllDay: [[9], ALL_DAY, true],
} as const;

const PROGRAM = `import { LateCompilation } from '${MODULE}';
  let timer = () => {};
  const after = (_ms, work) => ((timer = work), () => (timer = () => {}));
  for (const [name, [steps, calls]] of Object.entries(${JSON.stringify(CASES)})) {
    const compilation = new LateCompilation({ after });
    for (const step of steps) step === 'later' ? timer() : compilation.scripts(step);
    const often = new Function('return function ' + name
      + '(n) { let x = n; for (let i = 0; i < 20; i += 1) x = (x * 31 + i) | 0; return x; }')();
    let sum = 0;
    for (let i = 0; i < calls; i += 1) sum += often(i);
    compilation.scripts(0);
    timer();
  }`;

test('V8 optimizes what is called some hundred times, but not while many scripts run', () => {
  const options = ['--import', 'tsx', '--input-type=module', '--trace-opt', '-e', PROGRAM];
  const told = execFileSync(process.execPath, options, { encoding: 'utf8' });
  const optimized = Object.keys(CASES).filter((name) => new RegExp(`marking .*\\b${name}\\b`).test(told));
  expect(optimized).toEqual(Object.keys(CASES).filter((name) => CASES[name as keyof typeof CASES][2]));
});
