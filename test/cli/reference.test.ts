import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SM_DUMP } from '../../src/cli/dump.ts';
import { SM_QUERY } from '../../src/cli/query.ts';
import { commandReference, toolsReference } from '../../src/cli/reference.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { TOOLS } from '../../src/cli/tools.ts';
import { ROOT } from '../tidy/project.ts';

test.each([SMCTL, SM_DUMP, SM_QUERY])('docs/reference/$name.md says what $name does', async (program) => {
  await expect(commandReference(program)).toMatchFileSnapshot(
    join(ROOT, 'docs', 'reference', `${program.name}.md`),
  );
});

test('docs/reference/tools.md says what the tools with StarlingX names do', async () => {
  const intro = [
    "StarlingX's names, arguments and words, for its operators' scripts; `smctl` does the same and more. What differs on purpose:",
    'an unknown name is exit code 1, a refusal is told, a change of definitions is checked as a whole before it is kept.',
  ];
  await expect(toolsReference('Tools by StarlingX names', intro, TOOLS)).toMatchFileSnapshot(
    join(ROOT, 'docs', 'reference', 'tools.md'),
  );
});
