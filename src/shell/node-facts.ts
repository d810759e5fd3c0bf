/** Which machine this is, of what kind, and which start of its kernel (docs/SAFETY.md, "Life"). Ids are 32 hex digits. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LifeId } from '../core/link/types.ts';
import type { Config } from './config.ts';

/** The firmware's id of the machine; virtual machines and small boards may have none, and only root may read it. */
const PRODUCT_UUID = '/sys/class/dmi/id/product_uuid';
/** In its place: the operating system's own id. */
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
const CPU_FILE = '/proc/cpuinfo';

function read(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? null : text;
  } catch {
    return null;
  }
}

/** UUIDs lose their dashes; any other text becomes its digest. */
function lifeId(text: string): LifeId {
  const plain = text.replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(plain)) return plain;
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** null = the file can not be read. */
export function kernelLife(file: string): LifeId | null {
  const text = read(file);
  return text === null ? null : lifeId(text);
}

/**
 * A machine without any id is told apart by its name; that is worth less, for names are given by people. null = the
 * configuration names another file than the firmware's, and it can not be read.
 */
export function productUuid(file: string, node: string): LifeId | null {
  const candidates = file === PRODUCT_UUID ? [file, ...MACHINE_IDS] : [file];
  for (const path of candidates) {
    const text = read(path);
    if (text !== null) return lifeId(text);
  }
  return file === PRODUCT_UUID ? lifeId(`node ${node}`) : null;
}

/**
 * Whether something below this machine can stop its clocks or set it back (docs/SAFETY.md, rule 17). `word` is the key of
 * the configuration; with `auto` the CPU is asked: x86 has a flag that hypervisors set for their guests (Intel SDM, CPUID
 * leaf 1, ECX bit 31). A file that can not be read, or a CPU without that flag, is taken for a real machine.
 */
export function isVirtualMachine(word: Config['virtualMachine'], cpuFile: string = CPU_FILE): boolean {
  if (word !== 'auto') return word === 'yes';
  return /^flags\s*:.*\shypervisor(\s|$)/m.test(read(cpuFile) ?? '');
}

/** Random per start of sm-watchdog. */
export function newProcessLife(): LifeId {
  return randomBytes(16).toString('hex');
}
