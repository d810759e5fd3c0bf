/**
 * Runs in network, mount and process namespaces of its own (resource-agents.test.ts makes them): agents of Debian's
 * package resource-agents, unchanged, by sm's runner with the environment that sm's engine makes. Prints one line of JSON:
 * for each agent, what was looked at and what went otherwise than its documentation states.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { AgentJudge, type Finding, type Step } from '../../support/agent-judge.ts';
import { CASES } from './cases.ts';
import { furnish, shell, TMP } from './namespace.ts';

furnish();
const judge = new AgentJudge(TMP);
const steps = judge.bySteps.bind(judge);

const routes = (): string => execFileSync('ip', ['route', 'show'], { encoding: 'utf8' });
const mounts = (): string => readFileSync('/proc/self/mountinfo', 'utf8');
const runningPid = (file: string): boolean => existsSync(`/proc/${readFileSync(file, 'utf8').trim()}`);
const COMMON: readonly Step[] = [
  ['meta-data', 0],
  ['no-such-action', 3],
];

/** Agents without cases that need no package: what the meta-data, the comments at the head and the OCF API say. */
const AGENTS: Readonly<Record<string, () => Promise<Finding>>> = {
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

/** By the package's cases, or else by what is said above. */
function finding(name: string): Promise<Finding> {
  const steps = AGENTS[name];
  if (steps !== undefined) return steps();
  const { agent = name, before } = CASES[name]!;
  return judge.byCases(name, agent, before?.());
}

/** Beside each other; what would be in each other's way, one after the other. */
const LINES: readonly (readonly string[])[] = [
  ['IPaddr2', 'IPaddr2v4', 'IPsrcaddr', 'Route'],
  ['IPaddr2v6'],
  ['SendArp'],
  ['Filesystem', 'Dummy', 'Stateful', 'Delay', 'anything', 'symlink'],
];

const findings: Record<string, Finding> = {};
await Promise.all(
  LINES.map(async (names) => {
    for (const name of names) findings[name] = await finding(name);
  }),
);
await judge.close();
process.stdout.write(`${JSON.stringify(findings)}\n`);
