/**
 * Which user is at the other end of a TCP connection within this node: the kernel lists the uid of every socket. For the
 * REST server, which lets root and the group `sm` act without a token. Source: proc(5), /proc/net/tcp.
 */
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';

const ESTABLISHED = '01';

export interface Connection {
  /** Of the other end, as the server sees it. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * The uid of the other end's socket. null when the table does not show it exactly once: a caller through a proxy, a
 * container or another network namespace is nobody here.
 */
export function uidOfPeer(connection: Connection, read: (path: string) => string = readTable): number | null {
  const local = `${key(connection.remoteAddress)}:${port(connection.remotePort)}`;
  const remote = `${key(connection.localAddress)}:${port(connection.localPort)}`;
  const uids: number[] = [];
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(path).split('\n').slice(1)) {
      const [, from = '', to = '', state, , , , uid = ''] = line.trim().split(/\s+/);
      if (state !== ESTABLISHED || normal(from) !== local || normal(to) !== remote) continue;
      uids.push(Number(uid));
    }
  }
  const [uid] = uids;
  return uids.length === 1 && uid !== undefined && Number.isInteger(uid) ? uid : null;
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const port = (number: number): string => number.toString(16).toUpperCase().padStart(4, '0');

/** An IPv4 address in an IPv6 socket stands as ::ffff:a.b.c.d. */
const MAPPED = '0000000000000000FFFF0000';

/** `ADDRESS:PORT` of the table, an IPv4 address always in its short form. */
function normal(field: string): string {
  return field.startsWith(MAPPED) ? field.slice(MAPPED.length) : field;
}

/** An address as the table has it: words of four bytes, each in the byte order of this machine (little). */
function key(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const bytes = isIPv4(plain) ? plain.split('.').map(Number) : ipv6Bytes(plain);
  let text = '';
  for (let word = 0; word < bytes.length; word += 4)
    for (let byte = 3; byte >= 0; byte -= 1)
      text += (bytes[word + byte] ?? 0).toString(16).toUpperCase().padStart(2, '0');
  return text;
}

function ipv6Bytes(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16));
  const front = words(head);
  const back = tail === undefined ? [] : words(tail);
  const zeros = new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0);
  return [...front, ...zeros, ...back].flatMap((word) => [word >> 8, word & 0xff]);
}
