import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { IS_KNOWN } from '../../../src/shell/late-compilation.ts';

const MODULE = new URL('../../../src/shell/late-compilation.ts', import.meta.url).href;
const SWITCH_OVER = 1500;
const ALL_DAY = 200_000;

/** Work and calm before a function is called so often, and whether V8 then wants to optimize it. */
const CASES = {
  nothing: ['', SWITCH_OVER, true],
  now: ['w', SWITCH_OVER, false],
  nowAgain: ['wwcw', SWITCH_OVER, false],
  longAgo: ['wwwc', SWITCH_OVER, true],
  allDay: ['w', ALL_DAY, true],
} as const;

const PROGRAM = `import { LateCompilation } from '${MODULE}';
  let calm = () => {};
  const after = (_ms, work) => ((calm = work), () => (calm = () => {}));
  for (const [name, [steps, calls]] of Object.entries(${JSON.stringify(CASES)})) {
    const compilation = new LateCompilation({ after });
    for (const step of steps) step === 'c' ? calm() : compilation.noteWork();
    const often = new Function('return function ' + name
      + '(n) { let x = n; for (let i = 0; i < 20; i += 1) x = (x * 31 + i) | 0; return x; }')();
    let sum = 0;
    for (let i = 0; i < calls; i += 1) sum += often(i);
    calm();
  }`;

test('V8 optimizes what is called a thousand times, but not while groups start or stop', () => {
  const options = ['--import', 'tsx', '--input-type=module', '--trace-opt', '-e', PROGRAM];
  const told = execFileSync(process.execPath, options, { encoding: 'utf8' });
  const optimized = Object.keys(CASES).filter((name) => new RegExp(`marking .*\\b${name}\\b`).test(told));
  expect(optimized).toEqual(
    Object.keys(CASES).filter((name) => !IS_KNOWN || CASES[name as keyof typeof CASES][2]),
  );
});
