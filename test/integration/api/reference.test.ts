/** docs/reference/api.md shows what its lines print: they are run against sm-api, a database and a control socket. `-u` rewrites. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiFixture, makeApi } from '../../api/fixture.ts';
import { ROOT } from '../../tidy/project.ts';
import { type ApiProcess, freePort, startApi, untilSaid, writeApiConfiguration } from './program.ts';

const PAGE = join(ROOT, 'docs/reference/api.md');
const PORT = '127.0.0.1:7777';
const run = promisify(execFile);

let node: ApiFixture;
let api: ApiProcess;
let port: number;
beforeAll(async () => {
  node = await makeApi();
  // The operation that the database knows.
  node.answer = { ok: true, code: '', message: 'accepted', operation: 'controller-0-ab12-1' };
  port = await freePort();
  api = startApi(['--config', writeApiConfiguration(node.directory, { port })]);
  await untilSaid(api, '"msg":"listens"');
});
afterAll(async () => {
  api.child.kill('SIGTERM');
  expect(await api.exit).toBe(0);
  await node.close();
});

async function printed(command: string, tokens: Readonly<Record<string, string>>): Promise<string> {
  const { stdout, stderr } = await run('bash', ['-c', command.replaceAll(PORT, `127.0.0.1:${port}`)], {
    env: { ...process.env, ...tokens, LC_ALL: 'C' },
  });
  expect(stderr, command).toBe('');
  return stdout.replaceAll(`127.0.0.1:${port}`, PORT).replaceAll('\r', '').trimEnd();
}

test('every line prints what the page shows', async () => {
  const tokens = { TOKEN: node.token('operator', 'orchestrator'), ADMIN: node.token('admin', 'alice') };
  let page = '';
  let commands = 0;
  for (const part of readFileSync(PAGE, 'utf8').split(/^(```sh\n[\s\S]*?^```\n)/m)) {
    if (!part.startsWith('```sh\n')) {
      page += part;
      continue;
    }
    page += '```sh\n';
    for (const [line = ''] of part.matchAll(/^\$ (?:.*\\\n)*.*\n/gm)) {
      commands += 1;
      page += `${line}${await printed(line.slice(2), tokens)}\n`;
    }
    page += '```\n';
  }
  expect(commands).toBeGreaterThan(15);
  await expect(page).toMatchFileSnapshot(PAGE);
});
