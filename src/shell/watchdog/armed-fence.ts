/**
 * What ends a whole machine, where the configuration arms it: everything is opened, or started, beforehand, so that at the
 * deadline neither disk nor exec is needed. Outside the first pid namespace of a kernel nothing is ever armed: the machine
 * would be somebody else's too.
 */
import { closeSync, constants, openSync, readlinkSync, realpathSync, statSync, writeSync } from 'node:fs';
import { failure, type Result } from '../../core/kernel/errors.ts';
import type { Config } from '../config.ts';
import type { Log } from '../ports.ts';
import { REBOOT_PROGRAM, RebootHelper } from './reboot-helper.ts';
import { WatchdogDevice } from './watchdog-device.ts';

export interface ArmedFence {
  /** Ends the machine at once; null = nothing of that kind is armed. It returns where it fails. */
  readonly strike: (() => void) | null;
  readonly device: WatchdogDevice | null;
  /** Lets go of what `strike` needs; it does nothing from then on. */
  readonly disarm: () => void;
}

export const UNARMED: ArmedFence = { strike: null, device: null, disarm: () => {} };

/** Where the ends of this machine are. Tests hand in others: plain files, named pipes, programs that only tell. */
export interface FencePlace {
  /** In the first pid namespace of the kernel. */
  readonly isWholeMachine: boolean;
  readonly sysrqTrigger: string;
  readonly rebootProgram: readonly string[];
}

/** Inode of the first pid namespace, PROC_PID_INIT_INO in Linux's include/linux/proc_ns.h. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

export function thisMachine(): FencePlace {
  return {
    isWholeMachine: readlinkSync('/proc/self/ns/pid') === FIRST_PID_NAMESPACE,
    sysrqTrigger: '/proc/sysrq-trigger',
    rebootProgram: REBOOT_PROGRAM,
  };
}

/** Reset at once, nothing written back. Source: Linux, Documentation/admin-guide/sysrq.rst. */
const SYSRQ_RESET = Buffer.from('b');

type FenceConfig = Pick<Config, 'selfFence' | 'watchdogDevice'>;

/**
 * `waits`: until everything has said that it is ready; without it, what fails is tried again. Refused = the configuration asks
 * for what can not be had.
 */
export async function armFence(
  config: FenceConfig,
  place: FencePlace,
  waits: boolean,
  log: Log,
): Promise<Result<ArmedFence>> {
  const wanted = [config.selfFence === 'processes' ? null : config.selfFence, config.watchdogDevice];
  if (wanted.every((each) => each === null)) return { ok: true, value: UNARMED };
  const strike = await strikeOf(config, place, waits, log);
  if (!strike.ok) return strike;
  const device = deviceOf(config, place, waits, log);
  if (!device.ok) return device;
  return { ok: true, value: { ...strike.value, device: device.value } };
}

type Strike = Pick<ArmedFence, 'strike' | 'disarm'>;

async function strikeOf(
  { selfFence }: FenceConfig,
  place: FencePlace,
  waits: boolean,
  log: Log,
): Promise<Result<Strike>> {
  switch (selfFence) {
    case 'processes':
      return { ok: true, value: UNARMED };
    case 'sysrq':
      return armSysrq(place, log);
    case 'reboot':
      return armReboot(place, waits, log);
  }
}

function armSysrq(place: FencePlace, log: Log): Result<Strike> {
  const path = place.sysrqTrigger;
  if (mustNot(path, place, log)) return { ok: true, value: UNARMED };
  let file: number;
  try {
    file = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    return unarmed('selfFence: sysrq', messageOf(error));
  }
  log.info({ path }, 'self-fence armed: sysrq');
  const strike = () => {
    try {
      writeSync(file, SYSRQ_RESET);
    } catch (error) {
      log.fatal({ error: messageOf(error) }, 'self-fence: sysrq was refused');
    }
  };
  return { ok: true, value: { strike, disarm: () => closeSync(file) } };
}

async function armReboot(
  { rebootProgram, isWholeMachine }: FencePlace,
  waits: boolean,
  log: Log,
): Promise<Result<Strike>> {
  if (rebootProgram === REBOOT_PROGRAM && !isWholeMachine) {
    log.warn({}, `selfFence: reboot is not armed: ${ELSEWHERE}`);
    return { ok: true, value: UNARMED };
  }
  if (rebootProgram.length === 0) return unarmed('selfFence: reboot', 'it is not known for this processor');
  const helper = new RebootHelper(rebootProgram, log);
  const fault = waits ? await helper.ready() : '';
  if (fault !== '') {
    helper.close();
    return unarmed('selfFence: reboot', fault);
  }
  log.info({}, 'self-fence armed: reboot');
  return { ok: true, value: { strike: () => helper.strike(), disarm: () => helper.close() } };
}

function deviceOf(
  { watchdogDevice }: FenceConfig,
  place: FencePlace,
  waits: boolean,
  log: Log,
): Result<WatchdogDevice | null> {
  if (watchdogDevice === null || mustNot(watchdogDevice, place, log)) return { ok: true, value: null };
  const device = new WatchdogDevice(watchdogDevice, log);
  const fault = device.open();
  // One that runs already, for the watchdog before us, is opened again and again.
  return fault === '' || !waits
    ? { ok: true, value: device }
    : unarmed(`watchdogDevice: ${watchdogDevice}`, fault);
}

/** What is said of the ends of a machine that is not ours alone. */
const ELSEWHERE = 'this is not the first pid namespace of the machine';

/**
 * True for a device or a file of the kernel, outside the first pid namespace. Looked at before it is opened: to open a
 * watchdog device starts it.
 */
function mustNot(path: string, { isWholeMachine }: FencePlace, log: Log): boolean {
  if (isWholeMachine || isStandIn(path)) return false;
  log.warn({ path }, `the self-fence is not armed: ${ELSEWHERE}`);
  return true;
}

/** A plain file or a named pipe on a file system that holds files. */
function isStandIn(path: string): boolean {
  try {
    const stats = statSync(path);
    return (stats.isFile() || stats.isFIFO()) && !/^\/(?:proc|sys|dev)\//.test(realpathSync(path));
  } catch {
    return false;
  }
}

function unarmed(port: string, detail: string): ReturnType<typeof failure> {
  return failure('SM_FENCE_UNARMED', { port, detail });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
