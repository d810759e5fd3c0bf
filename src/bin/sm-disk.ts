#!/usr/bin/env node
/** Started by `sm-arbiter` alone, one for each shared disk: `sm-disk DEVICE SLOT`. Does its I/O and nothing else. */
import { serveDisk } from '../shell/arbiter/disk-process.ts';

const [path = '', slot = '', local = ''] = process.argv.slice(2);
if (path === '' || (slot !== '0' && slot !== '1')) {
  console.error('sm-disk is started by sm-arbiter: run sm');
  process.exit(64);
}
process.title = 'sm-disk';
serveDisk(
  { path, slot: slot === '0' ? 0 : 1, localForTests: local === 'local-for-tests' },
  process.stdin,
  process.stdout,
  () => process.exit(0),
);
