/** Which machine this is, and which start of its kernel (docs/SAFETY.md, "Life"). Both as 32 hex digits. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LifeId } from '../core/link/types.ts';

/** The firmware's id of the machine; virtual machines and small boards may have none, and only root may read it. */
const PRODUCT_UUID = '/sys/class/dmi/id/product_uuid';
/** In its place: the operating system's own id. */
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

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

/** Random per start of sm-watchdog. */
export function newProcessLife(): LifeId {
  return randomBytes(16).toString('hex');
}
