/**
 * ocf:sm:container with a real podman, where it is installed for the time of the test (test-agents.ts): what
 * foreign-managers.test.ts shows with a fake one is shown to be how podman answers. The image is a busybox of this machine; without
 * a network and without control groups, for those of the machine are not the test's. So nothing here is paused: that needs them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Done, ExecLab, isRunning, until } from '../../support/exec.ts';

const OCF = join(import.meta.dirname, '../../../ocf');
const IMAGE = 'sm-test:1';
const HYBRID_CGROUPS = '/sys/fs/cgroup/unified';

/** The word for it in ONLY. */
export const CONTAINERS = 'container';
export const CONTAINER_PACKAGES: readonly string[] = [
  'podman',
  'crun',
  'conmon',
  'iptables',
  'busybox-static',
  'resource-agents',
  'libxml2-utils',
];

export interface ContainerFinding {
  readonly steps: number;
  readonly failures: readonly string[];
}

/** The machine's files are a copy that ends with the test. */
function configure(work: string): void {
  mkdirSync('/etc/containers', { recursive: true });
  const storage = `[storage]\ndriver = "vfs"\nrunroot = "${work}/podman-run"\ngraphroot = "${work}/podman"\n`;
  writeFileSync('/etc/containers/storage.conf', storage);
  const engine = '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n';
  writeFileSync(
    '/etc/containers/containers.conf',
    `${engine}[containers]\ncgroups = "disabled"\nnetns = "none"\n`,
  );
  // crun refuses a machine that has both kinds of control groups, whether it is to use them or not.
  if (existsSync(HYBRID_CGROUPS)) execFileSync('umount', [HYBRID_CGROUPS]);
  const bin = join(work, 'image/bin');
  mkdirSync(bin, { recursive: true });
  cpSync('/bin/busybox', join(bin, 'busybox'));
  for (const applet of ['sh', 'sleep', 'true', 'false', 'touch', 'test'])
    symlinkSync('busybox', join(bin, applet));
  execFileSync('sh', ['-c', `tar -C '${work}/image' -c . | podman import - ${IMAGE}`], { stdio: 'ignore' });
}

/** Whatever podman says on stdout of all its containers. */
const containers = (format: string): string =>
  execFileSync('podman', ['ps', '--all', '--format', format], { encoding: 'utf8' }).trim();

class Judge {
  readonly failures: string[] = [];
  steps = 0;
  readonly #lab: ExecLab;

  constructor(lab: ExecLab) {
    this.#lab = lab;
  }

  expect(what: string, holds: boolean, found: unknown): void {
    this.steps += 1;
    if (!holds) this.failures.push(`${what}: ${typeof found === 'string' ? found : JSON.stringify(found)}`);
  }

  /** An action as the engine would run it, and the code that it has to end with. */
  async run(command: string, code: number, change: Readonly<Record<string, string>> = {}): Promise<Done> {
    const environment: Record<string, string> = {
      OCF_RESOURCE_INSTANCE: 'web',
      OCF_RESKEY_CRM_meta_timeout: '4000',
    };
    const parameters = { image: IMAGE, args: '/bin/sleep 60', pidfile: this.#lab.file('web.pid'), ...change };
    for (const [key, value] of Object.entries(parameters))
      environment[/^[A-Z]/.test(key) ? key : `OCF_RESKEY_${key}`] = value;
    const done = await this.#lab.execute('container', {
      pluginType: 'ocf-script',
      pluginClass: 'sm',
      command,
      environment,
    });
    const words = `${command} ${JSON.stringify(change)} must end with ${code}`;
    this.expect(words, done.outcome.kind === 'exit' && done.outcome.code === code, done);
    return done;
  }
}

async function judgeLife(judge: Judge, lab: ExecLab): Promise<void> {
  const pid = (): number => Number(readFileSync(lab.file('web.pid'), 'utf8'));
  await judge.run('validate-all', 5, { image: 'missing:1' });
  await judge.run('monitor', 7);
  await judge.run('stop', 0);
  await judge.run('start', 0);
  await judge.run('monitor', 0);
  const first = pid();
  judge.expect('the pid file names the process in the container', isRunning(first), first);
  await judge.run('start', 0);
  judge.expect('a start of what runs leaves it alone', pid() === first && isRunning(first), pid());
  await judge.run('monitor', 0, { OCF_CHECK_LEVEL: '10', check: '/bin/true' });
  await judge.run('monitor', 1, { OCF_CHECK_LEVEL: '10', check: '/bin/false' });

  process.kill(first, 'SIGKILL');
  await until('podman has noticed', () => containers('{{.State}}').startsWith('Exited'));
  await judge.run('monitor', 7);
  await judge.run('start', 0);
  judge.expect('a new container has a process of its own', pid() !== first && isRunning(pid()), pid());

  // Process 1 of a container ignores SIGTERM if it does not handle it: podman kills it, and warns of that.
  const second = pid();
  await judge.run('stop', 0);
  judge.expect(
    'nothing of it is left',
    !isRunning(second) && containers('{{.Names}}') === '',
    containers('{{.Names}}'),
  );
  judge.expect('nor its pid file', !existsSync(lab.file('web.pid')), 'it is there');
  await judge.run('stop', 0);

  const { tail } = await judge.run('start', 1, { args: '/bin/sh -c exec</nothing' });
  judge.expect('it says what the container said', tail.includes('nothing'), tail);
  await judge.run('stop', 0);
}

/** What is in `work` is for the test alone. */
export async function judgeContainers(): Promise<ContainerFinding> {
  const lab = new ExecLab('off');
  const judge = new Judge(lab);
  try {
    configure(lab.path);
    symlinkSync(OCF, join(lab.ocfRoot, 'resource.d', 'sm'));
    await judgeLife(judge, lab);
    const parameters = [
      `image=${IMAGE}`,
      'name=web',
      'args=/bin/sleep 60',
      `pidfile=${lab.file('tester.pid')}`,
    ];
    const { status, stdout, stderr } = spawnSync(
      'ocf-tester',
      ['-n', 'web', ...parameters.flatMap((each) => ['-o', each]), join(OCF, 'container')],
      { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } },
    );
    judge.expect('ocf-tester passes', status === 0, `${stdout}${stderr}`);
  } finally {
    spawnSync('podman', ['rm', '--all', '--force', '--time', '0'], { stdio: 'ignore' });
    await lab.close([]);
  }
  return judge;
}
