/** The types of our own client are those of api/openapi.yaml. `-u` writes them anew. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Document, restTypes } from '../../scripts/rest-types.ts';
import { ROOT } from '../tidy/project.ts';

test('src/cli/rest-types.ts is what api/openapi.yaml says', async () => {
  const document = parse(readFileSync(join(ROOT, 'api/openapi.yaml'), 'utf8')) as Document;
  await expect(restTypes(document)).toMatchFileSnapshot(join(ROOT, 'src/cli/rest-types.ts'));
});
