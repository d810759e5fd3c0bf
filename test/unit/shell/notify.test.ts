import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HistoryEffect } from '../../../src/core/service/interface.ts';
import { Notifier, WAITING_MAX } from '../../../src/shell/notify.ts';
import { realTime } from '../../../src/shell/time.ts';

type Told = { readonly group: string; readonly state: string; readonly problem: string };

let root: string;
let directory: string;
let told: Told[];
let warnings: string[];
let wake: () => void;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sm-notify-'));
  directory = join(root, 'notify.d');
  mkdirSync(directory, { mode: 0o755 });
  told = [];
  warnings = [];
  wake = () => {};
});
afterEach(() => rmSync(root, { recursive: true }));

function notifier(limitMs = 20_000, from = directory): Notifier {
  const silent = () => {};
  return new Notifier({
    node: 'controller-0',
    directory: from,
    limitMs,
    aggregate: (group) => (group === 'web' ? { name: 'site', desired: 'active', state: 'go-active' } : null),
    post: ({ group, state, problem }) => {
      told.push({ group, state, problem });
      wake();
    },
    wallMs: () => 1_800_000_000_000,
    time: realTime,
    log: {
      debug: silent,
      info: silent,
      warn: (_fields, message) => void warnings.push(message),
      error: silent,
      fatal: silent,
    },
  });
}

function hook(name: string, script: string, mode = 0o755): void {
  writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, name), mode);
}

const change = (from: string, to: string, group = 'web'): HistoryEffect => ({
  type: 'history',
  entity: 'group',
  name: group,
  from,
  to,
  cause: 'go-active',
  actor: 'alice',
  reason: 'wanted',
});

/** Resolves when so many words have come. */
async function words(count: number): Promise<readonly Told[]> {
  while (told.length < count)
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  return told;
}

const output = (name: string): string => readFileSync(join(root, name), 'utf8');

describe('hooks', () => {
  it('are told one after the other by name, by environment and by JSON', async () => {
    hook('10-first', `cat >${root}/stdin; env | sort >${root}/env; echo first >>${root}/order`);
    hook('20-second', `echo second >>${root}/order`);
    hook('30-not', `echo never >>${root}/order`, 0o644);
    hook('.hidden', `echo never >>${root}/order`);
    notifier().published(change('standby', 'go-active-degraded'));
    expect(await words(1)).toEqual([{ group: 'web', state: 'go-active', problem: '' }]);
    expect(JSON.parse(output('stdin'))).toEqual({
      sequence: 1,
      node: 'controller-0',
      group: 'web',
      from: 'standby',
      to: 'go-active',
      status: 'degraded',
      cause: 'go-active',
      actor: 'alice',
      reason: 'wanted',
      time: '2027-01-15T08:00:00.000Z',
    });
    expect(output('env').split('\n')).toEqual(
      expect.arrayContaining([
        'NOTIFICATION_SEQNUM=1',
        'SERVICE_GROUP_AGGREGATE_DESIRED_STATE=active',
        'SERVICE_GROUP_AGGREGATE_NAME=site',
        'SERVICE_GROUP_AGGREGATE_STATE=go-active',
        'SERVICE_GROUP_DESIRED_STATE=active',
        'SERVICE_GROUP_NAME=web',
        'SERVICE_GROUP_NOTIFICATION=go-active',
        'SERVICE_GROUP_STATE=standby',
      ]),
    );
    expect(output('order')).toBe('first\nsecond\n');
  });

  it('are told nothing of an aggregate where there is none', async () => {
    hook('10-first', `env >${root}/env`);
    notifier().published(change('standby', 'go-active', 'other'));
    await words(1);
    expect(output('env')).toContain('SERVICE_GROUP_NAME=other');
    expect(output('env')).not.toContain('AGGREGATE');
  });

  it('are told of changes of a state alone', async () => {
    const hooks = notifier();
    hooks.published({ ...change('standby', 'active'), entity: 'service' });
    hooks.published(change('active', 'active-failed'));
    hooks.published(change('held by nobody', 'held by controller-0'));
    hooks.published(change('', ''));
    hooks.published(change('go-active', 'active'));
    expect(await words(1)).toEqual([{ group: 'web', state: 'active', problem: '' }]);
  });

  it('that fail, do not exist, or talk too much are a problem, and the others go on', async () => {
    hook(
      '10-bad',
      'i=0; while [ $i -lt 3000 ]; do echo "line $i of many, many words"; i=$((i + 1)); done; exit 3',
    );
    hook('20-gone', '');
    writeFileSync(join(directory, '20-gone'), '#!/no/such/interpreter\n');
    hook('30-good', `touch ${root}/done`);
    notifier().published(change('standby', 'go-active'));
    const [word] = await words(1);
    expect(word?.problem).toContain(
      '10-bad (go-active): it ended with exit code 3: line 2999 of many, many words',
    );
    expect(word?.problem).toContain('20-gone (go-active): it can not be run');
    expect(word?.problem.length).toBeLessThan(900);
    expect(existsSync(join(root, 'done'))).toBe(true);
  });

  it('that hang are killed with what they started, and nothing of them is waited for', async () => {
    hook('10-hangs', `sleep 300 & echo $! >${root}/pid; wait`);
    hook('20-late', 'exit 0');
    notifier(1500).published(change('standby', 'go-active'));
    const [word] = await words(1);
    expect(word?.problem).toMatch(
      /10-hangs \(go-active\): it did not end within \d+ ms and was killed; 20-late .*no time left/,
    );
    const pid = Number(output('pid'));
    const state = (): string => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) (.).*$/s, '$1');
      } catch {
        return 'X';
      }
    };
    while (!/[XZ]/.test(state())) await new Promise((resolve) => setImmediate(resolve));
  });

  it('that leave a process with their pipes behind hold nobody up', async () => {
    hook('10-daemon', `sleep 300 & echo $! >${root}/pid; exit 0`);
    notifier().published(change('standby', 'go-active'));
    expect(await words(1)).toMatchObject([{ problem: '' }]);
    process.kill(Number(output('pid')), 'SIGKILL');
  });

  it('below a directory that others may write to are not run', async () => {
    hook('10-first', `touch ${root}/done`);
    chmodSync(directory, 0o777);
    notifier().published(change('standby', 'go-active'));
    expect((await words(1))[0]?.problem).toContain('run chmod go-w on it');
    expect(existsSync(join(root, 'done'))).toBe(false);
  });

  it('need not exist', async () => {
    notifier(1000, join(root, 'nowhere')).published(change('standby', 'go-active'));
    expect(await words(1)).toMatchObject([{ problem: '' }]);
  });
});

describe('changes', () => {
  it('of one group are told in order, and only the newest ends a wait', async () => {
    hook('10-note', `echo $SERVICE_GROUP_NOTIFICATION >>${root}/order`);
    const hooks = notifier();
    hooks.published(change('standby', 'go-active'));
    hooks.published(change('go-active', 'go-standby'));
    hooks.published(change('go-standby', 'go-active'));
    expect((await words(3)).map(({ state }) => state)).toEqual(['initial', 'initial', 'go-active']);
    expect(output('order')).toBe('go-active\ngo-standby\ngo-active\n');
  });

  it('of other groups do not wait, and too many of one are left out', async () => {
    hook(
      '10-note',
      `[ "$SERVICE_GROUP_NAME" = other ] || { while [ ! -e ${root}/go ]; do sleep 0.05; done; }`,
    );
    const hooks = notifier();
    const states = ['go-active', 'active', 'go-standby', 'standby'];
    for (let n = 0; n < WAITING_MAX + 6; n++) hooks.published(change(states[n % 4]!, states[(n + 1) % 4]!));
    hooks.published(change('standby', 'go-active', 'other'));
    expect(await words(1)).toMatchObject([{ group: 'other' }]);
    expect(warnings).toHaveLength(6);
    writeFileSync(join(root, 'go'), '');
    await words(1 + WAITING_MAX);
    expect(told.at(-1)?.state).toBe(states[(WAITING_MAX + 6) % 4]);
  });
});
