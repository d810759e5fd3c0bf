/** Which local users may change things by being who they are: root, and the members of the group `sm`. group(5), passwd(5). */
import { readFileSync } from 'node:fs';

export const OPERATORS_GROUP = 'sm';

/** Members by name and by primary group. Users of a directory service count only if /etc/group names them. */
export function isOperator(uid: number, read: (path: string) => string = readText): boolean {
  if (uid === 0) return true;
  const group = lines(read('/etc/group')).find(([name]) => name === OPERATORS_GROUP);
  const user = lines(read('/etc/passwd')).find(([, , id]) => id === String(uid));
  if (group === undefined || user === undefined) return false;
  const [, , gid, members = ''] = group;
  const [name = '', , , primary] = user;
  return primary === gid || members.split(',').includes(name);
}

function lines(text: string): string[][] {
  return text.split('\n').map((line) => line.split(':'));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
