/** docs/reference/agents.md names every agent and parameter that there is, and its rows are a set that sm takes. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shippedAgents, withTables } from '../../../scripts/agents-reference.ts';
import { checkSet } from '../../../src/cli/check.ts';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import { parseParameters } from '../../../src/core/service/invocation.ts';
import { DATABASE_FOLDER } from '../../../src/shell/store/schema.ts';
import { loadRows } from '../../../src/shell/store/source.ts';

const PAGE = join(DATABASE_FOLDER, '../docs/reference/agents.md');
const page = readFileSync(PAGE, 'utf8');
/** What outlives its processes, or is started by somebody else than sm. */
const KERNEL_STATE = ['container', 'filesystem', 'floating-address', 'systemd-unit'];

test('the tables are what the agents print as their meta-data (-u writes them anew)', async () => {
  await expect(withTables(page)).toMatchFileSnapshot(PAGE);
});

test('every agent has its section, and no other', () => {
  const sections = [...page.matchAll(/^### ocf:sm:(\S+)$[\s\S]*?<!-- meta-data: (\S+) -->/gm)];
  expect(sections.map((match) => match[1])).toEqual(sections.map((match) => match[2]));
  expect(sections.map((match) => match[1]).sort()).toEqual(shippedAgents());
});

describe('the rows of the page, added to the demo', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sm-agents-'));
    cpSync(join(DATABASE_FOLDER, 'definitions', 'demo'), folder, { recursive: true });
    const rows = [...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
    expect(rows).toHaveLength(shippedAgents().length);
    writeFileSync(join(folder, '99-agents.sql'), rows.join('\n'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('are a good set', () => {
    const { exit, lines } = checkSet(folder);
    expect(lines.filter((line) => /^(error|warning)/.test(line))).toEqual(
      checkSet(join(DATABASE_FOLDER, 'definitions', 'demo')).lines.filter((line) =>
        /^(error|warning)/.test(line),
      ),
    );
    expect(exit).toBe(0);
  });

  test('give every agent only parameters that it has, and say what outlives its processes', () => {
    const loaded = loadRows(folder);
    if (!loaded.ok) throw new Error(loaded.error.message);
    const { set } = buildDefinitions(loaded.value.rows);
    const seen: string[] = [];
    for (const name of page.matchAll(/^INSERT INTO SERVICES .* VALUES \('([^']+)'/gm)) {
      const service = set!.services.get(name[1]!)!;
      const agent = service.actions.get('enable')!.pluginName;
      seen.push(agent);
      const section = page.split(`### ocf:sm:${agent}\n`)[1]!.split('\n### ')[0]!;
      const known = [...section.matchAll(/^\| `(\S+)` \|/gm)].map((match) => match[1]);
      const given = parseParameters(service.instanceParameters);
      expect(known, agent).toEqual(
        expect.arrayContaining(given.ok ? given.entries.map(([key]) => key) : ['?']),
      );
      expect(service.kernelState, agent).toBe(KERNEL_STATE.includes(agent));
    }
    expect(seen.sort()).toEqual(shippedAgents());
  });
});
