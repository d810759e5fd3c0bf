/**
 * Scenario files: a line that says what is shown, commands, `----`, and the trace that comes of them. UPDATE_GOLDEN=1
 * rewrites the traces; the difference is for the reviewer to read. Expectations have to hold in any case.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runScenario } from '../src/sim/scenario.ts';

const FOLDER = join(import.meta.dirname, 'golden');
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

test('there are scenarios', () => expect(names.length).toBeGreaterThan(80));

test.each(names)('%s', (name) => {
  const path = join(FOLDER, name);
  const written = readFileSync(path, 'utf8');
  const { text, failures } = runScenario(written);
  expect(written.startsWith('# ')).toBe(true);
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
  else expect(text).toBe(written);
  // Those outside of the assumptions show what they are good for.
  if (name.startsWith('outside-')) expect(failures.join('\n')).toContain('single-active');
  else expect(failures).toEqual([]);
});
