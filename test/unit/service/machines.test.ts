import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pages } from '../../../scripts/print-machines.ts';

describe('docs/machines', () => {
  it.each(Object.entries(pages()))('%s is printed from the tables as they are', (name, text) => {
    const stored = readFileSync(new URL(`../../../docs/machines/${name}`, import.meta.url), 'utf8');
    expect(stored, 'run: npx tsx scripts/print-machines.ts').toBe(text);
  });
});
