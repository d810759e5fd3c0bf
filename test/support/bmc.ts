/** A BMC on loopback. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bmc } from '../../src/lab/bmc.ts';
import { freePorts } from './etcd.ts';

export { BMC_MISSING, type Bmc } from '../../src/lab/bmc.ts';
export const BMC_GUID = 'a123456789abcdefa123456789abcdef';

export async function startBmc(): Promise<Bmc> {
  const [port = 0] = await freePorts(1);
  const directory = mkdtempSync(join(tmpdir(), 'sm-bmc-'));
  const password = 'bmc-secret';
  return Bmc.start({ directory, address: '127.0.0.1', port, guid: BMC_GUID, password });
}
