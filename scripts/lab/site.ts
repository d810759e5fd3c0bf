/** What stands in the lab: two nodes with Debian's agents, and a neighbour that asks for the floating address. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../../src/lab/machine.ts';
import { LabNode, type LabNodeOptions } from '../../src/lab/node.ts';
import type { NamespaceRack } from '../../src/lab/rack.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = {
  definitions: join(PROJECT, 'db', 'definitions', 'lab'),
  programs: join(PROJECT, 'dist'),
  ocfRoot: '/usr/lib/ocf',
  initScripts: ['/etc/init.d/nginx'],
} as const;
/** The link, floating address and port that the definitions name. */
export const OAM = 1;
export const FLOATING = '10.77.2.100';
const PORT = 80;
const NEIGHBOUR = 2;

/** What has to be installed: file, and Debian's package. */
const NEEDED = [
  ['/usr/lib/ocf/resource.d/heartbeat/IPaddr2', 'resource-agents'],
  ['/etc/init.d/nginx', 'nginx-light'],
  ['/usr/sbin/nft', 'nftables'],
] as const;

const NGINX = `pid /run/nginx.pid;
worker_processes 1;
error_log /run/nginx-error.log;
events {}
http {
  access_log off;
  client_body_temp_path /run/nginx-body;
  proxy_temp_path /run/nginx-proxy;
  fastcgi_temp_path /run/nginx-fastcgi;
  uwsgi_temp_path /run/nginx-uwsgi;
  scgi_temp_path /run/nginx-scgi;
  server { listen ${FLOATING}:${PORT}; root /run/lab-disk; }
}
`;

const started = performance.now();

/** What happens, on stderr. */
export function tell(line: string): void {
  console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

type More = Pick<LabNodeOptions, 'changes' | 'secrets' | 'links' | 'mounts'>;

export function makeNode(
  rack: NamespaceRack,
  root: string,
  key: Buffer,
  index: 0 | 1,
  more: More = {},
): LabNode {
  const name = `controller-${index}`;
  const web = join(root, `${name}-nginx`);
  mkdirSync(web);
  writeFileSync(join(web, 'nginx.conf'), NGINX);
  const mounts = [
    { at: '/run', directory: null },
    // systemd-tmpfiles makes it at the boot of a Debian machine.
    { at: '/run/resource-agents', directory: null },
    { at: '/etc/nginx', directory: web },
    { at: '/var/log/nginx', directory: null },
    ...(more.mounts ?? []),
  ];
  return new LabNode({ name, index, root, key, ...SOURCES, ...more, mounts }, rack);
}

export async function bootNeighbour(rack: NamespaceRack, root: string, file: string): Promise<Machine> {
  const directory = join(root, 'neighbour');
  mkdirSync(join(directory, 'run'), { recursive: true });
  const watch = join(PROJECT, 'scripts', 'lab', 'arp-watch');
  const machine = await rack.boot({
    name: 'neighbour',
    index: NEIGHBOUR,
    directory,
    program: [watch, `link${OAM}`, rack.address(OAM, NEIGHBOUR), FLOATING, String(PORT), file],
    log: join(root, 'neighbour.log'),
    links: [OAM],
  });
  machine.pressStart();
  return machine;
}

/** Why the lab can not be played here; null = it can. `more`: file, and Debian's package. */
export function missing(more: readonly (readonly [path: string, name: string])[] = []): string | null {
  const names = [...NEEDED, ...more].filter(([path]) => !existsSync(path)).map(([, name]) => name);
  return names.length > 0 ? `not installed here: apt-get install ${names.join(' ')}` : null;
}
