/** `sm-api` as a process, over a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../../tidy/project.ts';

export interface ApiProcess {
  readonly child: ChildProcess;
  /** Of stderr so far. */
  readonly said: () => string;
  readonly exit: Promise<number | null>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `api`: the keys below `api` of the configuration. */
export function writeApiConfiguration(directory: string, api: object, node = 'controller-0'): string {
  mkdirSync(join(directory, 'run'), { recursive: true, mode: 0o700 });
  const path = join(directory, 'api.yaml');
  const content = {
    node,
    database: join(directory, 'sm.db'),
    runDirectory: join(directory, 'run'),
    api: { tokensFile: join(directory, 'tokens'), auditFile: join(directory, 'audit.log'), ...api },
  };
  // JSON is YAML.
  writeFileSync(path, JSON.stringify(content));
  return path;
}

export function startApi(words: readonly string[]): ApiProcess {
  const program = join(ROOT, 'src/bin/sm-api.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return { child, said: () => text, exit };
}

/** Resolves when its log has these words; rejects when it ends before. */
export function untilSaid({ child, said, exit }: ApiProcess, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (said().includes(words)) resolve();
    };
    child.stderr?.on('data', look);
    void exit.then((code) => reject(new Error(`ended with ${code}, before '${words}': ${said()}`)));
    look();
  });
}
