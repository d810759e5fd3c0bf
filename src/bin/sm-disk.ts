#!/usr/bin/env node
/** Started by `sm-arbiter` alone, one for each shared disk: `sm-disk DEVICE SLOT LOCKFILE`. Does its I/O and nothing else. */
import { serveDisk } from '../shell/arbiter/disk-process.ts';
import { takeLock } from '../shell/lock.ts';

const [path = '', slot = '', lockFile = '', local = ''] = process.argv.slice(2);
if (path === '' || lockFile === '' || (slot !== '0' && slot !== '1')) {
  console.error('sm-disk is started by sm-arbiter: run sm');
  process.exit(64);
}
process.title = 'sm-disk';
serveDisk({
  sectors: { path, slot: slot === '0' ? 0 : 1, isLocal: local === 'local' },
  lock: () => takeLock(lockFile),
  input: process.stdin,
  output: process.stdout,
  end: () => process.exit(0),
});
