import { createSecretKey, randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { symbols } from 'pino';
import { expect, test } from 'vitest';
import { createLogger } from '../../../src/shell/log.ts';

function logger(level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const options = { program: 'sm', node: 'controller-0', log: { level, file: null } };
  const log = createLogger(options, { write: (line) => void lines.push(line) });
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) };
}

test('a line says who wrote it, at which level, and when', () => {
  const { log, last } = logger();
  log.child({ machine: 'web' }).warn({ from: 'disabled', to: 'enabling' }, 'state');
  expect(last()).toMatchObject({
    name: 'sm',
    node: 'controller-0',
    level: 'warn',
    machine: 'web',
    from: 'disabled',
    msg: 'state',
  });
  expect(last().time).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test('secrets are not printed, at any depth at which they occur', () => {
  const { log, lines } = logger();
  const secret = 'hunter2';
  for (const field of ['authKey', 'token', 'secret', 'password', 'authorization']) {
    log.info(
      { [field]: secret, a: { [field]: secret, b: { [field]: secret, c: { [field]: secret } } } },
      'x',
    );
    log.child({ [field]: secret }).info('x');
  }
  expect(lines).toHaveLength(10);
  expect(lines.join('')).not.toContain(secret);
  expect(lines.join('')).toContain('[secret]');
});

test('what is logged is not changed by that', () => {
  const { log, last } = logger();
  const fields = { list: [{ token: 'hunter2', name: 'a' }], url: 'x' };
  log.info(fields, 'x');
  expect(last()).toMatchObject({ list: [{ token: '[secret]', name: 'a' }], url: 'x' });
  expect(fields).toEqual({ list: [{ token: 'hunter2', name: 'a' }], url: 'x' });
});

test('a key object has nothing to print', () => {
  const { log, lines } = logger();
  const bytes = randomBytes(64);
  log.info({ key: { name: 'mgmt', material: createSecretKey(bytes) } }, 'x');
  expect(lines[0]).not.toContain(bytes.toString('hex'));
  expect(lines[0]).not.toContain(bytes.toString('base64'));
});

test('lines below the level are not written', () => {
  const { log, lines } = logger();
  log.debug('x');
  expect(lines).toEqual([]);
});

test('a full disk costs lines, and not the process', () => {
  const log = createLogger({
    program: 'sm',
    node: 'controller-0',
    log: { level: 'info', file: '/dev/null' },
  });
  const stream = (log as unknown as Record<symbol, EventEmitter>)[symbols.streamSym];
  // It throws where nobody listens.
  expect(stream?.emit('error', new Error('ENOSPC: no space left on device, write'))).toBe(true);
});
