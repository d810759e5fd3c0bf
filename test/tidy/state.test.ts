/** No field of the engine that changes is forgotten in what a trace keeps of its state (src/core/trace/snapshot.ts). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isModule, ROOT, trackedPaths } from './project.ts';

const FOLDERS = [
  'src/core/engine.ts',
  'src/core/arbiter/fence-audits.ts',
  'src/core/arbiter/shot-window.ts',
  'src/core/cluster/',
  'src/core/service/',
  'src/core/kernel/',
];
const FILES = trackedPaths().filter(
  (path) => isModule(path) && FOLDERS.some((folder) => path.startsWith(folder)),
);
/** Fields that change, and are in no state. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'LocalEngine #queue': 'empty between two steps',
  'LocalEngine #groupQueue': 'empty between two steps',
  'LocalEngine #serviceTimers': 'as it was made',
  'LocalEngine #groupTimers': 'as it was made',
  'ResultRules #rules': 'as it was made',
  'ResultRules #found': 'what is found again',
  'Actions #invocations': 'made again, and holds secrets',
  'Cluster #assigned': 'looked at again',
  'HeartbeatCount #missed': 'of the shell',
  'HeartbeatCount #level': 'of the shell',
};

function forgotten(text: string): string[] {
  return text.split(/^export (?=class )|^(?=class )/m).flatMap((part) => {
    const name = /^class (\w+)/.exec(part)?.[1];
    if (name === undefined) return [];
    const [shown = ''] = /^ {2}get \[STATE\]\(\) \{[\s\S]*?^ {2}\}/m.exec(part) ?? [];
    const [taken = ''] = /^ {2}set \[STATE\]\(state\) \{[\s\S]*?^ {2}\}/m.exec(part) ?? [];
    const fields = [...part.matchAll(/^ {2}(readonly )?#(\w+)(: .*?)?( = .*|;|: \{)$/gm)];
    return fields.flatMap(([, isFixed, field = '', type = '', value = '']) => {
      const isContainer = /^: (Map|Set)</.test(type) || /^ = (new |\[\])/.test(value);
      if (isFixed !== undefined && !isContainer) return [];
      const isKept = shown.includes(`${field}: this.#${field},`) || shown.includes(`this.#${field} }`);
      const isSet = isFixed !== undefined || taken.includes(`this.#${field} = state.${field};`);
      return (isKept && isSet) || `${name} #${field}` in LEFT_OUT ? [] : [`${name} #${field}`];
    });
  });
}

test('every field that changes is in the state of its object', () => {
  const found = FILES.flatMap((path) => forgotten(readFileSync(join(ROOT, path), 'utf8')));
  expect(found).toEqual([]);
});

test('one that is forgotten is found', () => {
  const text =
    'export class A {\n  #a = 1;\n  readonly #b = new Map<string, number>();\n  readonly #c: number;\n}\n';
  expect(forgotten(text)).toEqual(['A #a', 'A #b']);
});
