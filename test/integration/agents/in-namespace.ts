/**
 * Runs in network, mount and process namespaces of its own (resource-agents.test.ts makes them): agents of Debian's
 * package resource-agents, unchanged, by sm's runner with the environment that sm's engine makes. Prints one line of JSON:
 * for each agent, what was looked at and what went otherwise than its documentation states.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ActionDefinition, ServiceDefinition } from '../../../src/core/definitions/model.ts';
import { invocation } from '../../../src/core/service/invocation.ts';
import { ExecLab } from '../../support/exec.ts';
import { Ocft } from '../../support/ocft.ts';

const TIMEOUT_MS = 20_000;
const TMP = '/run/sm-test';
const OCF_ROOT = '/usr/lib/ocf';

function shell(text: string): void {
  for (const command of text.trim().split('\n')) execFileSync('sh', ['-c', command]);
}

/** Two cables whose other ends are here too, with the names that the package's cases use. */
shell(`
  mount -t tmpfs tmpfs /run
  mount -t sysfs sysfs /sys
  mkdir -p ${TMP} /run/lock /run/resource-agents
  ip link set lo up
  ip link add eth0 type veth peer name far0
  ip link add eth1 type veth peer name far1
  for link in eth0 eth1 far0 far1; do sysctl -qw net.ipv6.conf.$link.accept_dad=0; ip link set $link up; done
  sysctl -qw net.ipv4.conf.all.arp_ignore=1`);

const lab = new ExecLab('off', {
  directories: { lsb: TMP, ocfRoot: OCF_ROOT, run: TMP },
});

type Variables = Readonly<Record<string, string>>;

/** As the engine would call it: the parameters go through the text of SERVICE_INSTANCES and SERVICE_ACTIONS. */
function engineEnvironment(agent: string, command: string, variables: Variables): Variables {
  const instance: string[] = [];
  const plugin: string[] = [];
  for (const [name, value] of Object.entries(variables)) {
    if (name === 'OCF_CHECK_LEVEL') instance.push(`check_level=${value}`);
    const [, meta, key] = /^OCF_RESKEY_(CRM_meta_)?(.*)$/.exec(name) ?? [];
    if (key !== undefined) (meta === undefined ? instance : plugin).push(`${key}=${value}`);
  }
  const service = { name: agent, instanceName: 'test', instanceParameters: instance.join(',') };
  const action = {
    action: 'enable',
    pluginType: 'ocf-script',
    pluginClass: 'heartbeat',
    pluginName: agent,
    pluginCommand: command,
    pluginParameters: plugin.join(','),
    timeoutMs: TIMEOUT_MS,
    intervalMs: 0,
  };
  const called = invocation(service as ServiceDefinition, action as ActionDefinition);
  if (!called.ok) throw new Error(called.error);
  return called.environment;
}

let calls = 0;

async function run(agent: string, command: string, variables: Variables): Promise<string> {
  const run = lab.start(agent, {
    // Two lines may run the same agent at once: an output of its own for each.
    service: `${agent}-${++calls}`,
    pluginType: 'ocf-script',
    pluginClass: 'heartbeat',
    command,
    environment: engineEnvironment(agent, command, variables),
    timeoutMs: TIMEOUT_MS,
  });
  const { outcome, tail } = await lab.done(run, TIMEOUT_MS + 5000);
  return `${outcome.kind === 'exit' ? outcome.code : JSON.stringify(outcome)} ${tail}`;
}

/** By nobody: what the agent does by itself. */
function runDirectly(agent: string, command: string, variables: Variables): string {
  const { status, stderr } = spawnSync(join(OCF_ROOT, 'resource.d', 'heartbeat', agent), [command], {
    env: { ...variables, OCF_ROOT, OCF_RESOURCE_INSTANCE: 'test' },
    encoding: 'utf8',
  });
  return `${status} ${stderr}`;
}

interface Finding {
  /** Results that the documentation states and that were looked at. */
  readonly stated: number;
  readonly failures: readonly unknown[];
  /** Where the agent of this version does not do what is stated, whoever calls it. */
  readonly own?: readonly unknown[];
}

async function ocft(file: string, agent: string, fill = {}): Promise<Finding> {
  const { stated, failures } = await new Ocft(file, (...call) => run(agent, ...call), fill).runAll();
  if (failures.length === 0) return { stated, failures };
  const again = new Set(failures.map(({ case: name }) => name));
  const plain = await new Ocft(file, async (...call) => runDirectly(agent, ...call), fill).runAll(again);
  const own = failures.filter((failure) =>
    plain.failures.some(
      ({ case: name, step, found }) =>
        name === failure.case && step === failure.step && found[0] === failure.found[0],
    ),
  );
  return { stated, failures: failures.filter((failure) => !own.includes(failure)), own };
}

/** Agents without cases: what the meta-data, the comments at the head and the OCF API say. */
type Step = readonly [
  command: string,
  code: number,
  holds?: (() => boolean) | undefined,
  parameters?: Variables,
];

async function steps(agent: string, parameters: Variables, list: readonly Step[]): Promise<Finding> {
  const failures: unknown[] = [];
  for (const [command, code, holds, change] of list) {
    const variables: Record<string, string> = {};
    for (const [key, value] of Object.entries({ ...parameters, ...change })) {
      variables[key.startsWith('OCF_') ? key : `OCF_RESKEY_${key}`] = value;
    }
    const found = await run(agent, command, variables);
    const held = holds?.() ?? true;
    if (!found.startsWith(`${code} `) || !held)
      failures.push({ step: `${command} must be ${code}`, found, held });
  }
  return { stated: list.length, failures };
}

const routes = (): string => execFileSync('ip', ['route', 'show'], { encoding: 'utf8' });
const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8');
const runningPid = (file: string): boolean => existsSync(`/proc/${readFileSync(file, 'utf8').trim()}`);
const COMMON: readonly Step[] = [
  ['meta-data', 0],
  ['no-such-action', 3],
];

const AGENTS: Readonly<Record<string, () => Promise<Finding>>> = {
  IPaddr2: () => ocft('IPaddr2', 'IPaddr2'),
  'IPaddr2, version 4': () => ocft('IPaddr2v4', 'IPaddr2'),
  'IPaddr2, version 6': () => ocft('IPaddr2v6', 'IPaddr2'),
  SendArp: () => ocft('SendArp', 'SendArp'),
  IPsrcaddr: async () => {
    shell(`
      ip addr add 192.168.150.1/24 dev eth0
      ip addr add 192.168.150.2/24 dev eth0
      ip route add default via 192.168.150.9`);
    const filled = { OCF_RESKEY_ipaddress: '192.168.150.2', OCF_RESKEY_cidr_netmask: '24' };
    return ocft('IPsrcaddr', 'IPsrcaddr', filled);
  },
  Filesystem: () => {
    const directory = `${TMP}/mounted`;
    const isMounted = (): boolean => mounts().includes(` ${directory} `);
    return steps('Filesystem', { device: 'tmpfs', directory, fstype: 'tmpfs' }, [
      ...COMMON,
      ['monitor', 7],
      ['stop', 0],
      ['start', 0, isMounted],
      ['start', 0],
      ['monitor', 0],
      ['monitor', 0, undefined, { OCF_CHECK_LEVEL: '20' }],
      ['stop', 0, () => !isMounted()],
      ['monitor', 7],
      ['start', 6, undefined, { device: '' }],
    ]);
  },
  Dummy: () => {
    const state = `${TMP}/Dummy.state`;
    return steps('Dummy', { state }, [
      ...COMMON,
      ['validate-all', 0],
      ['monitor', 7],
      ['start', 0, () => existsSync(state)],
      ['start', 0],
      ['monitor', 0],
      ['stop', 0, () => !existsSync(state)],
      ['stop', 0],
      ['monitor', 7],
    ]);
  },
  Stateful: () => {
    const state = `${TMP}/Stateful.state`;
    return steps('Stateful', { state }, [
      ['meta-data', 0],
      ['monitor', 7],
      ['promote', 7],
      ['start', 0],
      ['monitor', 0],
      ['promote', 0],
      ['monitor', 8],
      ['demote', 0],
      ['monitor', 0],
      ['stop', 0, () => !existsSync(state)],
      ['monitor', 7],
    ]);
  },
  Delay: () =>
    steps('Delay', { startdelay: '1', stopdelay: '0', mondelay: '0' }, [
      ['meta-data', 0],
      ['monitor', 7],
      ['start', 0],
      ['monitor', 0],
      ['stop', 0],
      ['monitor', 7],
      ['validate-all', 2, undefined, { startdelay: 'long' }],
    ]),
  anything: () => {
    const pidfile = `${TMP}/anything.pid`;
    const program = { binfile: '/bin/sleep', cmdline_options: '600', pidfile };
    return steps('anything', program, [
      ...COMMON,
      ['validate-all', 0],
      ['monitor', 7],
      ['start', 0, () => runningPid(pidfile)],
      ['start', 0],
      ['monitor', 0],
      ['stop', 0, () => !existsSync(pidfile)],
      ['stop', 0],
      ['monitor', 7],
      ['validate-all', 5, undefined, { binfile: '/no/such/program' }],
    ]);
  },
  symlink: () => {
    const link = `${TMP}/link`;
    const isLink = (): boolean => lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    writeFileSync(`${TMP}/target`, '');
    mkdirSync(`${TMP}/other`);
    return steps('symlink', { link, target: `${TMP}/target` }, [
      ...COMMON,
      ['monitor', 7],
      ['start', 0, isLink],
      ['start', 0],
      ['monitor', 0],
      ['stop', 0, () => !isLink()],
      ['stop', 0],
      ['monitor', 7],
      // What clashes with the link is an error as long as no suffix tells where to move it.
      ['monitor', 5, undefined, { link: `${TMP}/other` }],
    ]);
  },
  Route: () => {
    shell('ip addr add 192.168.151.1/24 dev eth1');
    const isThere = (): boolean => routes().includes('10.151.0.0/16 via 192.168.151.9 dev eth1');
    return steps('Route', { destination: '10.151.0.0/16', device: 'eth1', gateway: '192.168.151.9' }, [
      ...COMMON,
      ['validate-all', 0],
      ['monitor', 7],
      ['start', 0, isThere],
      ['start', 0],
      ['monitor', 0],
      ['stop', 0, () => !isThere()],
      ['stop', 0],
      ['monitor', 7],
      ['validate-all', 6, undefined, { destination: '' }],
    ]);
  },
};

/** Beside each other; what would be in each other's way, one after the other. */
const LINES: readonly (readonly string[])[] = [
  ['IPaddr2', 'IPaddr2, version 4', 'IPsrcaddr', 'Route'],
  ['IPaddr2, version 6'],
  ['SendArp'],
  ['Filesystem', 'Dummy', 'Stateful', 'Delay', 'anything', 'symlink'],
];

const findings: Record<string, Finding> = {};
await Promise.all(
  LINES.map(async (agents) => {
    for (const agent of agents) findings[agent] = await AGENTS[agent]!();
  }),
);
await lab.close([]);
process.stdout.write(`${JSON.stringify(findings)}\n`);
