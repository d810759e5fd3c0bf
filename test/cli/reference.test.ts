import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SM_DUMP } from '../../src/cli/dump.ts';
import { SM_QUERY } from '../../src/cli/query.ts';
import { commandReference } from '../../src/cli/reference.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { ROOT } from '../tidy/project.ts';

test.each([SMCTL, SM_DUMP, SM_QUERY])('docs/reference/$name.md says what $name does', async (program) => {
  await expect(commandReference(program)).toMatchFileSnapshot(
    join(ROOT, 'docs', 'reference', `${program.name}.md`),
  );
});
