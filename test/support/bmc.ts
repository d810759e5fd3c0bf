/** A machine with a BMC: ipmi_sim of the package openipmi, whose chassis is a folder with a file `power`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reachRmcp } from '../../src/shell/arbiter/reach.ts';
import { freePorts } from './etcd.ts';

export const BMC_MISSING =
  !existsSync('/usr/bin/ipmi_sim') ||
  !existsSync('/usr/sbin/fence_ipmilan') ||
  !existsSync('/usr/bin/ipmitool');
export const BMC_GUID = 'a123456789abcdefa123456789abcdef';

/** Descriptors are closed: a child of ipmi_sim would keep its socket. `lying`: says yes and does nothing. */
const CHASSIS = `#!/bin/sh
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
dir=$1; shift
case "$1" in
  get) echo "power:$(cat "$dir/power")" ;;
  set) [ -e "$dir/lying" ] || echo "$3" > "$dir/power" ;;
esac
`;

export class Bmc {
  readonly directory = mkdtempSync(join(tmpdir(), 'sm-bmc-'));
  port = 0;
  #child: ChildProcess | null = null;

  static async start(): Promise<Bmc> {
    const bmc = new Bmc();
    const [port] = await freePorts(1);
    bmc.port = port!;
    bmc.setPower('on');
    const file = (name: string, text: string): string => {
      const path = join(bmc.directory, name);
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
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_admin md5
    guid ${BMC_GUID}
  endlan
  chassis_control "${chassis} ${bmc.directory}"
  user 1 true  ""       "test" user  10 none md2 md5 straight
  user 2 true  "admin"  "bmc-secret" admin 10 md5
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
    const state = join(bmc.directory, 'state');
    mkdirSync(state);
    const args = ['-c', configuration, '-f', emulation, '-s', state, '-n'];
    bmc.#child = spawn('ipmi_sim', args, { stdio: 'ignore', cwd: bmc.directory });
    const end = performance.now() + 10_000;
    while ((await reachRmcp('127.0.0.1', bmc.port, 200)) !== 'answers')
      if (performance.now() > end) throw new Error('ipmi_sim did not start');
    return bmc;
  }

  get power(): 'on' | 'off' {
    return readFileSync(join(this.directory, 'power'), 'utf8').trim() === '1' ? 'on' : 'off';
  }

  setPower(power: 'on' | 'off'): void {
    writeFileSync(join(this.directory, 'power'), power === 'on' ? '1\n' : '0\n');
  }

  lie(): void {
    writeFileSync(join(this.directory, 'lying'), '');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
