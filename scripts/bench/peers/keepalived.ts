/**
 * A pair under keepalived as Debian ships it: one VRRP instance on one link, and the services as its notify scripts. It
 * neither has groups nor starts a dead service again: everything moves.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../../src/lab/node.ts';
import type { Rack } from '../../../src/lab/rack.ts';
import { Pair, SERVICE_SCRIPT } from '../pair.ts';
import { PeerNode } from './node.ts';

const at = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const LIMIT_MS = 60_000;
const CHECK_SECONDS = 1;

export interface KeepalivedOptions {
  readonly services: readonly string[];
  readonly advertSeconds: number;
}

export class KeepalivedPair extends Pair<PeerNode> {
  /** `root`: a directory that does not exist yet. */
  constructor(rack: Rack, root: string, options: KeepalivedOptions) {
    mkdirSync(root, { recursive: true });
    const node = (index: 0 | 1): PeerNode => {
      const configuration = join(root, `peer-${index}.conf`);
      const made = new PeerNode({
        name: `peer-${index}`,
        index,
        root,
        program: [at('keepalived-node'), configuration],
        mounts: () => [{ at: '/run', directory: null }],
      });
      writeFileSync(configuration, configurationOf(made, options));
      return made;
    };
    super(rack, [node(0), node(1)]);
  }

  async settled(): Promise<PeerNode> {
    return eventually('one is master, the other is backup', LIMIT_MS, () => {
      const states = this.nodes.map(stateOf);
      const active = this.nodes[states.indexOf('master')];
      return active !== undefined && states.includes('backup') ? active : null;
    });
  }

  /** Stops keepalived, as an operator would: a VRRP instance has no other command that moves it. */
  async switchOver(from: PeerNode): Promise<number> {
    const stop = 'echo $EPOCHREALTIME; kill -s TERM "$(</run/keepalived.pid)"';
    return 1000 * Number(await from.machine.run(['bash', '-c', stop]));
  }

  override async allow(node: PeerNode): Promise<void> {
    await eventually(`keepalived of ${node.name} has ended`, LIMIT_MS, async () =>
      (await node.machine.run(['sh', '-c', 'test -e /run/keepalived.pid || echo gone'])) === '' ? null : true,
    );
    const configuration = `${node.directory}.conf`;
    await node.machine.run(['keepalived', '--use-file', configuration, '--no-syslog']);
  }

  override async powerOff(node: PeerNode): Promise<number> {
    const moment = await super.powerOff(node);
    rmSync(join(node.services, 'state'), { force: true });
    return moment;
  }
}

/** What its scripts were last called for; empty = not yet since the power came. */
function stateOf({ services }: PeerNode): string {
  const file = join(services, 'state');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
}

function configurationOf(
  { index, services: directory }: PeerNode,
  { services, advertSeconds }: KeepalivedOptions,
) {
  const call = (state: string) =>
    `"${[at('keepalived-services'), state, directory, SERVICE_SCRIPT, ...services].join(' ')}"`;
  return `global_defs {
  vrrp_version 3
  script_user root
}
vrrp_script check {
  script ${call('check')}
  interval ${CHECK_SECONDS}
  fall 1
  rise 1
}
vrrp_instance bench {
  state BACKUP
  nopreempt
  interface link0
  virtual_router_id 51
  priority ${100 - index}
  advert_int ${advertSeconds}
  virtual_ipaddress { 10.77.1.100/24 }
  track_script { check }
  notify_master ${call('master')}
  notify_backup ${call('backup')}
  notify_fault ${call('fault')}
  notify_stop ${call('stop')}
}
`;
}
