/** Real fence agents against a simulated BMC, and agents that misbehave in every way. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FenceResult, Fencing } from '../../../src/core/arbiter/fence.ts';
import { deviceReadiness } from '../../../src/core/arbiter/fence-rules.ts';
import { FenceDevice } from '../../../src/shell/arbiter/fence-device.ts';
import { BMC_GUID, BMC_MISSING, type Bmc, startBmc } from '../../support/bmc.ts';

const LIMIT_MS = 20_000;
const SECRET = 'bmc-secret';
const MAY_INSTALL = process.geteuid?.() === 0;
if (BMC_MISSING && !MAY_INSTALL)
  console.warn(
    'ipmi_sim, ipmitool or fence agents are missing, and only root can install them: tests are left out',
  );

const cleanUps: (() => unknown)[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sm-fence-'));
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  rmSync(folder, { recursive: true });
});

function device(
  agent: string,
  parameters: Readonly<Record<string, string>> = {},
  secrets: Readonly<Record<string, string>> = {},
): FenceDevice {
  return new FenceDevice({
    name: 'bmc',
    agent,
    parameters: new Map(Object.entries(parameters)),
    secrets: new Map(Object.entries(secrets).map(([name, value]) => [name, () => ({ ok: true, value })])),
    now: () => performance.now(),
  });
}

/** An agent of one test. */
function stub(script: string): string {
  const path = join(folder, 'fence_stub');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Runs the fencing of one node on real devices and a real clock. */
function fence(
  devices: readonly FenceDevice[],
  limits: Partial<{ verifyLimitMs: number; statusLimitMs: number }> = {},
): Promise<FenceResult> {
  return new Promise((resolve) => {
    const timers = new Map<string, NodeJS.Timeout>();
    const fencing: Fencing = new Fencing(
      {
        node: 'controller-1',
        levels: [
          devices.map(({ name }) => ({
            name,
            statusLimitMs: 10_000,
            offLimitMs: 20_000,
            verifyLimitMs: 5000,
            ...limits,
          })),
        ],
        doubts: [],
        gapMs: 200,
      },
      (effect) => {
        if (effect.type === 'result') return resolve(effect.result);
        if (effect.type === 'timer') {
          clearTimeout(timers.get(effect.key));
          const { key, generation, at } = effect;
          if (at !== null)
            timers.set(
              key,
              setTimeout(
                () => fencing.step({ type: 'timer', key, generation }, performance.now()),
                at - performance.now(),
              ),
            );
          return;
        }
        const { request, action, limitMs } = effect;
        const found = devices.find(({ name }) => name === effect.device)!;
        void found
          .power(action, limitMs)
          .then((answer) => fencing.step({ type: 'answer', request, answer }, performance.now()));
      },
    );
    fencing.start(null, performance.now());
  });
}

describe.runIf(!BMC_MISSING || MAY_INSTALL)('fence_ipmilan and a BMC', () => {
  async function bmc(): Promise<Bmc> {
    if (BMC_MISSING) throw new Error('run make setup, or apt-get install openipmi ipmitool fence-agents');
    const started = await startBmc();
    cleanUps.push(() => started.stop());
    return started;
  }
  const ipmi = (port: number, password = SECRET, more: Readonly<Record<string, string>> = {}): FenceDevice =>
    device(
      '/usr/sbin/fence_ipmilan',
      {
        ip: '127.0.0.1',
        ipport: String(port),
        username: 'admin',
        lanplus: '1',
        cipher: '3',
        power_wait: '0',
        login_timeout: '2',
        shell_timeout: '2',
        ipmitool_timeout: '1',
        power_timeout: '4',
        ...more,
      },
      { password },
    );

  test('reads, shoots, proves by two readings of its own; already off needs no shot', async () => {
    const machine = await bmc();
    const own = ipmi(machine.port);
    expect(await own.faults()).toEqual([]);
    expect(await own.power('status', LIMIT_MS)).toMatchObject({ kind: 'known', value: 'on' });
    const result = await fence([own]);
    expect(result).toMatchObject({ outcome: 'fenced', cause: null });
    expect(machine.power).toBe('off');
    expect(result.attempts.filter(({ said }) => said === 'off').length).toBeGreaterThanOrEqual(2);
    const again = await fence([own]);
    expect(again.outcome).toBe('already-off');
    expect(again.attempts.every(({ action }) => action === 'status')).toBe(true);
    console.log(`fenced in ${Math.round(result.tookMs)} ms, found off in ${Math.round(again.tookMs)} ms`);
  });

  test('the audit ties the BMC to its machine', async () => {
    const machine = await bmc();
    const own = ipmi(machine.port);
    const look = async (productUuid: string) =>
      deviceReadiness({
        device: 'bmc',
        power: await own.power('status', LIMIT_MS),
        identity: await own.identity(LIMIT_MS),
        peer: { node: 'controller-1', productUuid },
      });
    expect(await look(BMC_GUID)).toMatchObject({ ready: true });
    expect(await look('00000000-0000-0000-0000-000000000001')).toMatchObject({
      ready: false,
      cause: 'lying',
    });
    machine.setPower('off');
    expect(await look(BMC_GUID)).toMatchObject({
      ready: false,
      cause: 'lying',
      reason: expect.stringContaining('reads off while'),
    });
  });

  test('causes are told apart: nobody there, wrong password, time-out, a lie', async () => {
    const machine = await bmc();
    expect(await ipmi(machine.port, 'not-the-one').power('status', LIMIT_MS)).toMatchObject({
      kind: 'unknown',
      cause: 'auth',
    });
    expect(await ipmi(machine.port).power('status', 20)).toMatchObject({ cause: 'timeout' });
    machine.lie();
    expect(await fence([ipmi(machine.port)], { verifyLimitMs: 600 })).toMatchObject({ outcome: 'failed' });
    expect(machine.power).toBe('on');
    const { port } = machine;
    await machine.stop();
    expect(await ipmi(port).power('status', LIMIT_MS)).toMatchObject({ cause: 'unreachable' });
  }, 60_000);

  test('fence_dummy: a device that is a file', async () => {
    const status = join(folder, 'status');
    writeFileSync(status, 'on');
    const dummy = device('/usr/sbin/fence_dummy', { type: 'file', status_file: status });
    expect(await fence([dummy])).toMatchObject({ outcome: 'fenced' });
    expect(readFileSync(status, 'utf8')).toContain('off');
    expect(await device('/usr/sbin/fence_dummy', { type: 'file', colour: 'red' }).faults()).toEqual([
      'the agent has no parameter colour',
    ]);
  });
});

describe('agents that misbehave', () => {
  test.each([
    ['is not there', null, 'refused'],
    ['fails', 'echo "Unable to connect/login to fencing device" >&2; exit 1', 'auth'],
    ['hangs', 'exec sleep 1000', 'timeout'],
    ['ignores TERM and forks', "trap '' TERM; (trap '' TERM; sleep 1000) & sleep 1000", 'timeout'],
    ['reads nothing and is endless', 'exec yes', 'timeout'],
    ['ends by a signal', 'kill -9 $$', 'refused'],
    ['says an exit code that means nothing', 'exit 77', 'refused'],
  ])('one that %s is unknown', async (_name, script, cause) => {
    const path = script === null ? join(folder, 'none') : stub(script);
    const started = performance.now();
    expect(await device(path).power('status', 500)).toMatchObject({ kind: 'unknown', cause });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  // A shell ends with 2 at a syntax error, Python at an option that it does not know: half an update of the agent.
  test.each([
    ['is cut off in the middle', '#!/bin/sh\nwhile read l; do [ "$l"', 'off', 'end of file'],
    ['can not be run by its Python', '#!/usr/bin/python3 -Z\n', 'off', 'python'],
    ['says nothing', '#!/bin/sh\nexit 2\n', 'off', '"Status: OFF"'],
    ['says it within a line', '#!/bin/sh\necho no Status: OFF here; exit 2\n', 'off', '"Status: OFF"'],
    ['says it to stderr', '#!/bin/sh\necho Status: OFF >&2; exit 2\n', 'off', '"Status: OFF"'],
    ['says another thing than its exit code', '#!/bin/sh\necho Status: ON; exit 2\n', 'off', '"Status: OFF"'],
    ['says both', '#!/bin/sh\necho Status: OFF; echo Status: ON; exit 2\n', 'off', '"Status: OFF"'],
    ['is empty', '#!/bin/sh\n', 'on', '"Status: ON"'],
  ])('one that %s has not read the power: no proof, and the audit says so', async (_name, text, coded, more) => {
    const path = stub('');
    writeFileSync(path, text);
    const power = await device(path).power('status', LIMIT_MS);
    expect(power).toMatchObject({ kind: 'unknown', cause: 'protocol' });
    const told = deviceReadiness({ device: 'bmc', power, identity: null, peer: null });
    expect(told).toMatchObject({ ready: false, cause: 'protocol' });
    expect(told.reason).toContain(`the agent said ${coded} by its exit code only`);
    expect(told.reason).toContain(more);
    expect(told.reason).toContain('check that it is what the definitions call it');
    expect((await fence([device(path)], { verifyLimitMs: 100 })).provenAt).toBeNull();
  });

  test.each([
    'Status: OFF',
    'status:off',
    ' Status : Off \r',
    'a notice\nStatus: OFF\nanother',
  ])('the line "%s" and exit code 2 are off', async (said) => {
    const power = await device(stub(`printf '${said}\\n'; exit 2`)).power('status', LIMIT_MS);
    expect(power).toMatchObject({ kind: 'known', value: 'off' });
  });

  test('a grandchild that keeps the pipes is not waited for, and is killed', async () => {
    const pid = join(folder, 'pid');
    const script = `sleep 1000 & echo $! > ${pid}; echo Status: ON`;
    const answer = await device(stub(script)).power('status', LIMIT_MS);
    expect(answer).toMatchObject({ kind: 'known', value: 'on' });
    const child = readFileSync(pid, 'utf8').trim();
    for (const end = performance.now() + 5000; existsSync(`/proc/${child}/cwd`) && performance.now() < end; )
      await new Promise((resolve) => setImmediate(resolve));
    expect(existsSync(`/proc/${child}/cwd`)).toBe(false);
  });

  test('one that lies: says done, reads on', async () => {
    const result = await fence([device(stub('grep -q action=off || echo Status: ON'))], {
      verifyLimitMs: 500,
    });
    expect(result).toMatchObject({ outcome: 'failed', cause: 'lying' });
    expect(result.reason).toContain('controller-1 is not proven off');
  });

  test('the secret is on its stdin alone: not in its arguments, its environment, or what we say of it', async () => {
    const seen = join(folder, 'seen');
    const script = `cat > ${seen}.stdin; tr '\\0' '\\n' < /proc/$$/cmdline > ${seen}.cmdline; env > ${seen}.env; echo "login failed with ${SECRET}" >&2; exit 1`;
    const answer = await device(stub(script), { ip: '127.0.0.1' }, { password: SECRET }).power(
      'off',
      LIMIT_MS,
    );
    expect(answer).toMatchObject({ cause: 'auth', detail: 'login failed with ***' });
    const holders = readdirSync(folder).filter(
      (name) => name.startsWith('seen') && readFileSync(join(folder, name), 'utf8').includes(SECRET),
    );
    expect(holders).toEqual(['seen.stdin']);
    expect(readFileSync(`${seen}.stdin`, 'utf8')).toBe(`action=off\nip=127.0.0.1\npassword=${SECRET}\n`);
  });

  test('a value with a line break would be another parameter: refused', async () => {
    const answer = await device(stub('exit 0'), { ip: 'a\naction=on' }).power('off', LIMIT_MS);
    expect(answer).toMatchObject({ kind: 'unknown', cause: 'refused' });
  });

  test.each([
    ['nothing', 'exit 0'],
    ['garbage', 'head -c 100000 /dev/urandom'],
    ['endless tags', 'yes "<resource-agent><parameter name=a>" | head -c 2000000'],
    ['a page', 'echo "<html>"'],
  ])('metadata that is %s is no metadata', async (_name, script) => {
    const [fault] = await device(stub(script)).faults();
    expect(fault).toContain('no fence agent');
  });
});
