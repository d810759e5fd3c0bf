/**
 * The BMC of a machine: ipmi_sim of Debian's openipmi, whose chassis is a folder. File `power` says whether the machine has
 * power; where a file `pid` names its first process, that one ends with the power.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reachRmcp } from '../shell/arbiter/reach.ts';

export const BMC_MISSING =
  !existsSync('/usr/bin/ipmi_sim') ||
  !existsSync('/usr/sbin/fence_ipmilan') ||
  !existsSync('/usr/bin/ipmitool');
export const BMC_USER = 'admin';
const START_LIMIT_MS = 10_000;

export interface BmcOptions {
  /** Made, and removed at the end. */
  readonly directory: string;
  readonly address: string;
  readonly port: number;
  /** 32 hexadecimal digits. */
  readonly guid: string;
  readonly password: string;
}

/** Descriptors are closed: a child of ipmi_sim would keep its socket. `lying`: says yes and does nothing. */
const CHASSIS = `#!/bin/sh
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
dir=$1; shift
case "$1" in
  get) echo "power:$(cat "$dir/power")" ;;
  set)
    [ -e "$dir/lying" ] && exit
    [ "$3" = 0 ] && [ -e "$dir/pid" ] && kill -KILL "$(cat "$dir/pid")" && rm "$dir/pid"
    echo "$3" > "$dir/power"
    ;;
esac
`;

export class Bmc {
  readonly #options: BmcOptions;
  #child: ChildProcess | null = null;

  private constructor(options: BmcOptions) {
    this.#options = options;
  }

  static async start(options: BmcOptions): Promise<Bmc> {
    const bmc = new Bmc(options);
    mkdirSync(options.directory, { recursive: true });
    bmc.setPower('on');
    await bmc.start();
    return bmc;
  }

  get port(): number {
    return this.#options.port;
  }

  /** Again, after `end`. */
  async start(): Promise<void> {
    const { directory, address, port, guid, password } = this.#options;
    const file = (name: string, text: string): string => {
      const path = join(directory, name);
      writeFileSync(path, text);
      return path;
    };
    const chassis = file('chassis.sh', CHASSIS);
    chmodSync(chassis, 0o755);
    const configuration = file(
      'lan.conf',
      `name "bmc"
set_working_mc 0x20
  startlan 1
    addr ${address} ${port}
    priv_limit admin
    allowed_auths_admin md5
    guid ${guid}
  endlan
  chassis_control "${chassis} ${directory}"
  user 1 true  ""       "test" user  10 none md2 md5 straight
  user 2 true  "${BMC_USER}"  "${password}" admin 10 md5
`,
    );
    const emulation = file(
      'bmc.emu',
      `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`,
    );
    const state = join(directory, 'state');
    mkdirSync(state, { recursive: true });
    const args = ['-c', configuration, '-f', emulation, '-s', state, '-n'];
    this.#child = spawn('ipmi_sim', args, { stdio: 'ignore', cwd: directory });
    const end = performance.now() + START_LIMIT_MS;
    while ((await reachRmcp(address, port, 200)) !== 'answers')
      if (performance.now() > end) throw new Error('ipmi_sim did not start');
  }

  get power(): 'on' | 'off' {
    return readFileSync(join(this.#options.directory, 'power'), 'utf8').trim() === '1' ? 'on' : 'off';
  }

  setPower(power: 'on' | 'off'): void {
    writeFileSync(join(this.#options.directory, 'power'), power === 'on' ? '1\n' : '0\n');
  }

  /** Whose power it has: the first process of a machine, as we count here; null = nobody's. */
  setMachine(pid: number | null): void {
    const path = join(this.#options.directory, 'pid');
    if (pid === null) rmSync(path, { force: true });
    else writeFileSync(path, `${pid}\n`);
  }

  lie(lies = true): void {
    const path = join(this.#options.directory, 'lying');
    if (lies) writeFileSync(path, '');
    else rmSync(path, { force: true });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** It answers no more; the machine keeps its power. */
  async end(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.#options.directory, { recursive: true, force: true });
  }
}
