/**
 * A pair under Pacemaker and Corosync as Debian ships them: three knet links, signing only, two_node, no fencing. All that
 * they write lies in mounts of the node.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../../src/lab/node.ts';
import { LINK_COUNT, type Rack } from '../../../src/lab/rack.ts';
import { groupName, range, SCRIPT, type Shape, serviceName } from '../definitions.ts';
import { Pair, SERVICE_SCRIPT } from '../pair.ts';
import { PeerNode } from './node.ts';

const PROGRAM = fileURLToPath(new URL('./pacemaker-node', import.meta.url));
const LIMIT_MS = 90_000;
/** A question costs processor time on the machine that it is asked of. */
const ASK_EVERY_MS = 250;
/** Journal and pid files, on either node. */
const SERVICES = '/run/bench';
const INDICES = [0, 1] as const;

export interface PacemakerOptions {
  readonly shape: Shape;
  /** Corosync's token timeout, ms; null = its default. */
  readonly tokenMs: number | null;
  /** How often a service is asked whether it runs: the only way in which its death is noticed. */
  readonly monitorSeconds: number;
  /** How long a first node waits for others, s; null = the default. */
  readonly deadTimeSeconds: number | null;
}

export class PacemakerPair extends Pair<PeerNode> {
  /** `root`: a directory that does not exist yet. */
  constructor(rack: Rack, root: string, options: PacemakerOptions) {
    mkdirSync(root, { recursive: true });
    const key = randomBytes(256);
    const agents = join(root, 'resource.d');
    mkdirSync(join(agents, 'bench'), { recursive: true });
    symlinkSync(SERVICE_SCRIPT, join(agents, 'bench', SCRIPT));
    const node = (index: 0 | 1): PeerNode => {
      const name = nodeName(index);
      const env = [
        'env',
        'PCMK_logfile=none',
        'PCMK_logfacility=none',
        'PCMK_stderr=yes',
        'PCMK_logpriority=warning',
      ];
      const made = new PeerNode({
        name,
        index,
        root,
        program: [...env, PROGRAM],
        mounts: (own) => mounts(own, agents),
      });
      const { directory } = made;
      for (const each of ['corosync', 'corosync-state', 'pacemaker']) mkdirSync(join(directory, each));
      for (const each of ['cib', 'pengine', 'blackbox', 'cores'])
        mkdirSync(join(directory, 'pacemaker', each));
      writeFileSync(join(directory, 'corosync', 'corosync.conf'), corosyncConf(rack, options));
      writeFileSync(join(directory, 'corosync', 'authkey'), key, { mode: 0o400 });
      writeFileSync(join(directory, 'pacemaker', 'cib', 'cib.xml'), cib(options));
      return made;
    };
    super(rack, [node(0), node(1)]);
    this.#services = options.shape.groups * options.shape.services;
  }

  readonly #services: number;

  async settled(): Promise<PeerNode> {
    let asked = Number.NEGATIVE_INFINITY;
    return eventually('Pacemaker is at rest', LIMIT_MS, async () => {
      if (performance.now() - asked < ASK_EVERY_MS) return null;
      asked = performance.now();
      const machine = this.nodes[0].machine;
      const xml = await machine.run(['crm_mon', '--one-shot', '--output-as', 'xml']).catch(() => '');
      const coordinator = /<current_dc present="true"[^>]* name="([^"]+)"/.exec(xml)?.[1];
      const online = INDICES.every((index) =>
        new RegExp(`<node name="${nodeName(index)}"[^>]* online="true"`).test(xml),
      );
      if (coordinator === undefined || !online) return null;
      const where = [...xml.matchAll(/<resource [^>]*active="true"[^>]*>\s*<node name="([^"]+)"/g)].map(
        ([, name]) => name,
      );
      const active = this.nodes.find(({ name }) => name === where[0]);
      if (where.length < this.#services || where.some((name) => name !== where[0])) return null;
      const status = await machine.run(['crmadmin', '--status', coordinator]).catch(() => '');
      return /S_IDLE/.test(status) ? (active ?? null) : null;
    });
  }

  /** Sets the node to standby, as an operator would: the time of the command's own start is part of it. */
  async switchOver(from: PeerNode): Promise<number> {
    return 1000 * Number(await this.#standby(from, 'on'));
  }

  override async allow(node: PeerNode): Promise<void> {
    await this.#standby(node, 'off');
  }

  /** Returns when the command was started, s since 1970. */
  #standby(node: PeerNode, value: 'on' | 'off'): Promise<string> {
    const command = `crm_attribute --quiet --node ${node.name} --name standby --update ${value}`;
    return node.machine.run(['bash', '-c', `echo $EPOCHREALTIME; exec ${command} >/dev/null`]);
  }
}

function nodeName(index: number): string {
  return `peer-${index}`;
}

function mounts(directory: string, agents: string) {
  return [
    { at: '/run', directory: null },
    { at: SERVICES, directory: join(directory, 'services') },
    { at: '/dev/shm', directory: null },
    { at: '/etc/corosync', directory: join(directory, 'corosync') },
    { at: '/var/lib/corosync', directory: join(directory, 'corosync-state') },
    { at: '/var/lib/pacemaker', directory: join(directory, 'pacemaker') },
    { at: '/usr/lib/ocf/resource.d', directory: agents },
  ];
}

function corosyncConf(rack: Rack, { tokenMs }: PacemakerOptions): string {
  const nodes = INDICES.map((index) => {
    const rings = range(LINK_COUNT).map((link) => `    ring${link}_addr: ${rack.address(link, index)}`);
    return `  node {\n    name: ${nodeName(index)}\n    nodeid: ${index + 1}\n${rings.join('\n')}\n  }`;
  });
  return `totem {
  version: 2
  cluster_name: bench
  transport: knet
  crypto_cipher: none
  crypto_hash: sha256
${tokenMs === null ? '' : `  token: ${tokenMs}\n`}}
nodelist {
${nodes.join('\n')}
}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
logging {
  to_stderr: yes
  to_logfile: no
  to_syslog: no
}
`;
}

/** Services of a group keep together and do not wait for each other, as in our own set. */
function cib({ shape, monitorSeconds, deadTimeSeconds }: PacemakerOptions): string {
  const option = (name: string, value: string | number) =>
    `<nvpair id="option-${name}" name="${name}" value="${value}"/>`;
  const options = [
    option('stonith-enabled', 'false'),
    option('no-quorum-policy', 'ignore'),
    ...(deadTimeSeconds === null ? [] : [option('dc-deadtime', `${deadTimeSeconds}s`)]),
  ];
  const names = range(shape.groups).map((group) =>
    range(shape.services).map((service) => serviceName(group, service)),
  );
  const resources = names.flat().map(
    (name) => `<primitive id="${name}" class="ocf" provider="bench" type="${SCRIPT}">
  <instance_attributes id="${name}-parameters">
    <nvpair id="${name}-service" name="service" value="${name}"/>
    <nvpair id="${name}-directory" name="directory" value="${SERVICES}"/>
  </instance_attributes>
  <operations><op id="${name}-monitor" name="monitor" interval="${monitorSeconds}s" timeout="20s"/></operations>
</primitive>`,
  );
  const together = names.flatMap(([first, ...others], group) =>
    others.map(
      (name) =>
        `<rsc_colocation id="${groupName(group)}-${name}" rsc="${name}" with-rsc="${first}" score="INFINITY"/>`,
    ),
  );
  // Without it they would be spread over both nodes.
  const first = names.map(
    ([name], group) =>
      `<rsc_location id="${groupName(group)}-first" rsc="${name}" node="${nodeName(0)}" score="10"/>`,
  );
  return `<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0">
<configuration>
<crm_config><cluster_property_set id="options">${options.join('')}</cluster_property_set></crm_config>
<nodes/>
<resources>
${resources.join('\n')}
</resources>
<constraints>
${[...together, ...first].join('\n')}
</constraints>
<rsc_defaults><meta_attributes id="defaults"><nvpair id="stickiness" name="resource-stickiness" value="100"/></meta_attributes></rsc_defaults>
</configuration>
<status/>
</cib>
`;
}
