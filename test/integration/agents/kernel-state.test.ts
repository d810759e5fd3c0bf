/**
 * The agents whose service is a state of the kernel, floating-address and filesystem: on machines that are no more than
 * network and mount namespaces, on one Ethernet. Only root can make them; they end with the test.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning, until } from '../../support/exec.ts';

const AGENTS = join(import.meta.dirname, '../../../ocf');

interface Answer {
  readonly code: number | null;
  readonly err: string;
  readonly ms: number;
}

class Machine {
  readonly #holder: ChildProcess;

  constructor() {
    // It ends with the test's process too: `read` then meets the end of its input.
    this.#holder = spawn('unshare', ['--net', '--mount', 'sh', '-c', 'echo; read _'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  async isUp(): Promise<void> {
    await new Promise((resolve) => this.#holder.stdout!.once('data', resolve));
    this.sh('ip link set lo up');
  }

  get pid(): string {
    return String(this.#holder.pid);
  }

  /** Argument lists of programs that shall run here. */
  command(...words: string[]): [string, string[]] {
    return ['nsenter', ['--target', this.pid, '--net', '--mount', '--', ...words]];
  }

  sh(text: string): string {
    return execFileSync(...this.command('sh', '-ec', text), { encoding: 'utf8' });
  }

  agent(name: string, action: string, parameters: Readonly<Record<string, string>>): Answer {
    const env: Record<string, string> = { PATH: process.env.PATH!, OCF_RESKEY_CRM_meta_timeout: '4000' };
    for (const [key, value] of Object.entries(parameters)) {
      env[key.startsWith('OCF_') ? key : `OCF_RESKEY_${key}`] = value;
    }
    const start = performance.now();
    const { status, stderr } = spawnSync(...this.command(join(AGENTS, name), action), {
      env,
      encoding: 'utf8',
    });
    return { code: status, err: stderr, ms: performance.now() - start };
  }

  end(): void {
    this.#holder.kill('SIGKILL');
  }
}

beforeEach(({ skip }) =>
  skip(process.getuid?.() !== 0, 'left out, for it needs root: it changes addresses and mounts'),
);

let machines: Machine[] = [];
afterEach(() => {
  for (const machine of machines) machine.end();
  machines = [];
});

async function boot(count: number): Promise<Machine[]> {
  machines = Array.from({ length: count }, () => new Machine());
  await Promise.all(machines.map((machine) => machine.isUp()));
  return machines;
}

describe.each([
  { ip: '192.0.2.10', prefix: '192.0.2', length: '24', family: '-4' },
  { ip: '2001:db8::10', prefix: '2001:db8:', length: '64', family: '-6' },
])('floating-address $ip', ({ ip, prefix, length, family }) => {
  /** Two nodes, and a client with the switch between them. */
  let a: Machine;
  let b: Machine;
  let client: Machine;
  const address = (host: number): string =>
    prefix.endsWith(':') ? `${prefix}:${host}` : `${prefix}.${host}`;

  beforeEach(async () => {
    [a, b, client] = (await boot(3)) as [Machine, Machine, Machine];
    client.sh(`ip link add br0 type bridge forward_delay 0 && ip link set br0 up`);
    for (const [i, node] of [a, b].entries()) {
      client.sh(`ip link add port${i} type veth peer name eth0 netns ${node.pid}`);
      client.sh(`ip link set port${i} master br0 up`);
      node.sh(`sysctl -qw net.ipv6.conf.eth0.accept_dad=0 && ip link set eth0 up`);
      node.sh(`ip addr add ${address(i + 1)}/${length} dev eth0`);
    }
    client.sh(`sysctl -qw net.ipv6.conf.br0.accept_dad=0 && ip addr add ${address(9)}/${length} dev br0`);
  });

  const macOf = (node: Machine): string => /link\/ether (\S+)/.exec(node.sh('ip -o link show dev eth0'))![1]!;
  const held = (node: Machine): string => node.sh(`ip ${family} -o addr show to ${ip}`);
  /** Where the client would send to, without asking anew. */
  const cached = (): string | undefined =>
    /lladdr (\S+)/.exec(client.sh(`ip ${family} neigh show to ${ip} dev br0`))?.[1];
  const ask = async (from: Machine): Promise<void> => {
    const knock =
      "use IO::Socket::IP; IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => 9, Proto => 'udp')";
    await until('the client has learned the address', () => {
      client.sh(`perl -e '${knock}->send("x")' ${ip} || true`);
      return cached() === macOf(from);
    });
  };

  it('is put on with the prefix of its network, monitored, and taken off', () => {
    const parameters = { ip };
    expect(a.agent('floating-address', 'validate-all', parameters).code).toBe(0);
    expect(a.agent('floating-address', 'monitor', parameters).code).toBe(7);
    expect(a.agent('floating-address', 'stop', parameters).code).toBe(0);
    expect(a.agent('floating-address', 'start', parameters)).toMatchObject({ code: 0, err: '' });
    expect(held(a)).toMatch(`eth0    inet${family === '-6' ? '6' : ''} ${ip}/${length} `);
    expect(held(a)).not.toContain('tentative');
    expect(a.agent('floating-address', 'start', parameters).code).toBe(0);
    for (const level of ['0', '10'])
      expect(a.agent('floating-address', 'monitor', { ...parameters, OCF_CHECK_LEVEL: level }).code).toBe(0);
    expect(a.agent('floating-address', 'stop', parameters).code).toBe(0);
    expect(held(a)).toBe('');
    expect(a.agent('floating-address', 'monitor', parameters).code).toBe(7);
  });

  it('is not started where another machine has it, and the monitor finds a duplicate', () => {
    b.sh(`ip addr add ${ip}/${length} dev eth0 ${family === '-6' ? 'nodad' : ''}`);
    const refused = a.agent('floating-address', 'start', { ip });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`${ip} is in use on eth0 by the machine ${macOf(b)}`);
    expect(held(a)).toBe('');
    expect(a.agent('floating-address', 'start', { ip, probe_count: '0' }).code).toBe(0);
    expect(a.agent('floating-address', 'monitor', { ip }).code).toBe(0);
    expect(a.agent('floating-address', 'monitor', { ip, OCF_CHECK_LEVEL: '10' }).code).toBe(1);
  });

  it('tells the neighbours: a client that has just learned the old place follows without asking', async () => {
    expect(a.agent('floating-address', 'start', { ip, arp_interval: '300' }).code).toBe(0);
    await ask(a);
    expect(a.agent('floating-address', 'stop', { ip }).code).toBe(0);
    expect(b.agent('floating-address', 'start', { ip, arp_interval: '300' }).code).toBe(0);
    await until('the client follows', () => cached() === macOf(b), 3000);
  });

  it('ends telling when the address is gone', async () => {
    expect(a.agent('floating-address', 'start', { ip, arp_interval: '100', arp_count: '1000' }).code).toBe(0);
    const tellers = (): string =>
      spawnSync('pgrep', ['-f', `announce eth0 .* ${ip} 999`], { encoding: 'utf8' }).stdout;
    await until('the teller in the background', () => tellers() !== '');
    expect(a.agent('floating-address', 'stop', { ip }).code).toBe(0);
    await until('its end', () => tellers() === '', 2000);
  });

  it('keeps the other addresses of its network', () => {
    const nic = 'eth0';
    const ips = [ip, address(11)];
    a.sh(`ip addr flush dev eth0 && sysctl -qw net.ipv4.conf.eth0.promote_secondaries=0`);
    for (const each of ips)
      expect(a.agent('floating-address', 'start', { ip: each, nic, cidr_netmask: length }).code).toBe(0);
    expect(a.agent('floating-address', 'stop', { ip, nic }).code).toBe(0);
    expect(a.agent('floating-address', 'monitor', { ip: ips[1]!, nic }).code).toBe(0);
  });

  it('says what is wrong', () => {
    const code = (action: string, parameters: Record<string, string>): number | null =>
      a.agent('floating-address', action, parameters).code;
    expect(code('validate-all', {})).toBe(6);
    for (const bad of ['192.0.2', 'name', '$(id)', '::g', '192.0.2.0/24']) {
      expect(code('validate-all', { ip: bad }), bad).toBe(6);
    }
    expect(code('validate-all', { ip, cidr_netmask: '129' })).toBe(6);
    expect(code('validate-all', { ip, arp_count: 'many' })).toBe(6);
    expect(code('validate-all', { ip: 'fe80::1' })).toBe(6);
    expect(code('validate-all', { ip, nic: 'eth7' })).toBe(5);
    expect(code('start', { ip: family === '-4' ? '198.51.100.1' : '2001:db9::1' })).toBe(6);
    a.sh('ip link set eth0 down');
    expect(a.agent('floating-address', 'start', { ip, nic: 'eth0' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('eth0 is down'),
    });
  });
});

describe('filesystem', () => {
  let path: string;
  let machine: Machine;
  let parameters: Readonly<Record<string, string>>;
  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), 'sm-filesystem-'));
    [machine] = (await boot(1)) as [Machine];
    // A name with everything that a shell or a pattern could stumble over.
    parameters = { device: 'tmpfs', fstype: 'tmpfs', directory: join(path, 'a b*[x]$(id)\\') };
    machine.sh(`mount -t tmpfs sm-test '${path}'`);
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const run = (action: string, change: Record<string, string> = {}): Answer =>
    machine.agent('filesystem', action, { ...parameters, ...change });
  const mounts = (): string[] =>
    machine
      .sh('cat /proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(`${path}/`));

  it('is mounted, looked at ever deeper, and unmounted', () => {
    expect(run('validate-all').code).toBe(0);
    expect(run('monitor').code).toBe(7);
    expect(run('stop').code).toBe(0);
    expect(run('start')).toMatchObject({ code: 0, err: '' });
    expect(run('start').code).toBe(0);
    expect(mounts()).toHaveLength(1);
    for (const level of ['0', '10', '20']) expect(run('monitor', { OCF_CHECK_LEVEL: level }).code).toBe(0);
    machine.sh(`mount -o remount,ro '${parameters.directory}'`);
    for (const [level, code] of [
      ['0', 0],
      ['10', 0],
      ['20', 1],
    ] as const)
      expect(run('monitor', { OCF_CHECK_LEVEL: level }).code).toBe(code);
    expect(run('stop').code).toBe(0);
    expect(mounts()).toEqual([]);
    expect(run('monitor').code).toBe(7);
  });

  it('ends who uses it, also what lies below, and fails when it must not', async () => {
    expect(run('start').code).toBe(0);
    const below = `${parameters.directory}/below`;
    machine.sh(`mkdir '${below}' && mount -t tmpfs below '${below}'`);
    const busy = 'trap \'\' TERM; cd "$1"; echo; while :; do sleep 0.1; done';
    const users = [parameters.directory!, below].map((directory) =>
      spawn(...machine.command('sh', '-c', busy, 'sh', directory)),
    );
    await Promise.all(users.map((user) => new Promise((resolve) => user.stdout.once('data', resolve))));
    const refused = run('stop', { force_unmount: '0' });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(String(users[0]!.pid));
    expect(mounts()).toHaveLength(2);
    const stopped = run('stop');
    expect(stopped).toMatchObject({ code: 0, err: expect.stringContaining('killing them') });
    expect(stopped.ms).toBeLessThan(4000);
    expect(mounts()).toEqual([]);
    await until('their end', () => users.every((user) => !isRunning(user.pid!)));
  });

  it('leaves alone what somebody else has mounted there', () => {
    machine.sh(`mkdir '${parameters.directory}' && mount -t tmpfs other '${parameters.directory}'`);
    expect(run('monitor').code).toBe(7);
    expect(run('start')).toMatchObject({
      code: 1,
      err: expect.stringContaining('something else is mounted'),
    });
    expect(run('stop').code).toBe(0);
    expect(mounts()).toHaveLength(1);
  });

  it('mounts a directory at a second place', () => {
    mkdirSync(join(path, 'from'), { recursive: true });
    machine.sh(`mkdir '${path}/from'`);
    const bind = { device: join(path, 'from'), fstype: 'none', options: 'bind', directory: join(path, 'to') };
    expect(run('monitor', bind).code).toBe(7);
    expect(run('start', bind).code).toBe(0);
    expect(run('monitor', bind).code).toBe(0);
    expect(run('stop', bind).code).toBe(0);
    expect(run('monitor', bind).code).toBe(7);
  });

  it('does not mount a block device that is mounted elsewhere, and takes it off there too', () => {
    const image = join(path, 'image');
    // The device is released when its last user is gone, whatever becomes of this test.
    const loop = machine
      .sh(`truncate -s 16M '${image}' && mke2fs -qF -t ext4 '${image}' && losetup --find --show '${image}'`)
      .trim();
    try {
      const block = { device: loop, fstype: 'ext4', directory: join(path, 'here') };
      machine.sh(`mkdir '${path}/there' && mount '${loop}' '${path}/there' && losetup -d '${loop}'`);
      expect(run('monitor', block).code).toBe(7);
      expect(run('start', block)).toMatchObject({
        code: 1,
        err: expect.stringContaining(`is mounted at ${path}/there already`),
      });
      machine.sh(`mkdir '${path}/here' && mount --bind '${path}/there' '${path}/here'`);
      for (const level of ['0', '10', '20'])
        expect(run('monitor', { ...block, OCF_CHECK_LEVEL: level }).code).toBe(0);
      expect(run('stop', block).code).toBe(0);
      expect(mounts()).toEqual([]);
    } finally {
      machine.sh(`umount -A '${loop}' 2>/dev/null || losetup -d '${loop}' 2>/dev/null || true`);
    }
    expect(execFileSync('losetup', ['-j', image], { encoding: 'utf8' })).toBe('');
  });

  it('says what is wrong', () => {
    const code = (change: Record<string, string>): number | null => run('validate-all', change).code;
    for (const name of ['device', 'directory', 'fstype']) expect(code({ [name]: '' }), name).toBe(6);
    expect(code({ device: '/dev/no-such-device', fstype: 'ext4' })).toBe(5);
    expect(code({ device: 'LABEL=x' })).toBe(6);
    expect(code({ fstype: 'nofs' })).toBe(5);
    expect(code({ directory: '//' })).toBe(6);
    expect(code({ directory: 'relative' })).toBe(6);
    writeFileSync(join(path, 'file'), '');
    expect(run('start', { options: 'nonsense' }).code).toBe(1);
    expect(existsSync(join(path, 'id'))).toBe(false);
  });
});
