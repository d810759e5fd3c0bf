/** The file from which a node goes on after both of its processes died. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { NO_PROOF } from '../../../src/core/guard/interface.ts';
import {
  RemainsFile,
  type RemainsOwner,
  readRemains,
  remainsPath,
} from '../../../src/shell/watchdog/remains.ts';
import { findRemains, seemingRunDirectory, takeUp } from '../../../src/shell/watchdog/unguarded.ts';
import { entry, life } from '../../support/guard-driver.ts';
import { silentLog } from './fakes.ts';

const root = mkdtempSync(join(tmpdir(), 'sm-remains-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let run = '';
let count = 0;
let owner: RemainsOwner;
beforeEach(() => {
  run = join(root, String(count++));
  mkdirSync(run);
  const kernelLifeFile = join(run, 'boot_id');
  writeFileSync(kernelLifeFile, life('kernel'));
  owner = {
    config: join(run, 'sm.yaml'),
    kernelLifeFile,
    kernelLife: life('kernel'),
    selfFence: 'processes',
    stopGraceMs: 100,
    killVerifyMs: 100,
  };
});

const KEPT = { deadline: 5000, proof: NO_PROOF, lost: false };
const ahead = () => 12;
const open = () => new RemainsFile(run, owner, silentLog);

describe('what is written can be read', () => {
  it('permission, kill list and lives, each in its newest state', () => {
    const file = open();
    const lives = {
      own: [life('own')],
      peer: { ended: [life('a')], current: { life: life('b'), sequence: 9 } },
    };
    file.add(entry('early'));
    file.keep(KEPT, ahead);
    file.add(entry('db'));
    file.add(entry('disk', true));
    file.remove('db');
    file.lives(lives);
    file.keep({ ...KEPT, deadline: 6000.25 }, ahead);
    expect(readRemains(run)).toMatchObject({
      ...KEPT,
      deadline: 6000.25,
      aheadMs: 12,
      runDirectory: run,
      owner,
      entries: [entry('early'), entry('disk', true)],
      lives,
    });
    expect(statSync(remainsPath(run)).mode & 0o777).toBe(0o600);
  });

  it('a permission without limit', () => {
    const proof = { deadline: Number.POSITIVE_INFINITY, links: [], sole: true };
    open().keep({ deadline: Number.POSITIVE_INFINITY, proof, lost: false }, () => null);
    expect(readRemains(run)).toMatchObject({ deadline: Number.POSITIVE_INFINITY, proof, aheadMs: null });
  });

  it('a renewal writes over one place: the file does not grow, and is not written where nothing changed', () => {
    const file = open();
    file.keep(KEPT, ahead);
    const { size } = statSync(remainsPath(run));
    let asked = 0;
    for (const deadline of [6000, 6000, 7000]) {
      file.keep({ ...KEPT, deadline }, () => {
        asked += 1;
        return 12;
      });
    }
    expect(asked).toBe(2);
    expect(statSync(remainsPath(run)).size).toBe(size);
  });

  it('a list that changes for months is written anew', () => {
    const file = open();
    file.keep(KEPT, ahead);
    for (let i = 0; i < 5000; i++) {
      file.add({ ...entry('db'), enabledAt: i });
      file.keep({ ...KEPT, deadline: i }, ahead);
    }
    expect(statSync(remainsPath(run)).size).toBeLessThan(300 * 1024);
    expect(readRemains(run)?.entries).toEqual([{ ...entry('db'), enabledAt: 4999 }]);
  });
});

describe('nothing is believed that is not so', () => {
  it('nothing held, an orderly end, and what a predecessor left to one that holds nothing', () => {
    const first = open();
    first.keep(KEPT, ahead);
    open().keep(null, ahead);
    expect(readRemains(run)).toBeNull();
    const file = open();
    file.add(entry('db'));
    file.keep(KEPT, ahead);
    file.clear();
    file.keep(null, ahead);
    expect(readRemains(run)).toBeNull();
    file.keep(KEPT, ahead);
    expect(readRemains(run)?.entries).toEqual([]);
    file.forget();
    expect(readRemains(run)).toBeNull();
  });

  it('a file that can not be written is not there, is said once, and comes back', () => {
    const errors: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void errors.push(message) };
    const file = new RemainsFile(join(run, 'later'), owner, log);
    file.keep(KEPT, ahead);
    file.keep({ ...KEPT, deadline: 6000 }, ahead);
    expect(errors).toHaveLength(1);
    mkdirSync(join(run, 'later'));
    file.keep({ ...KEPT, deadline: 7000 }, ahead);
    expect(readRemains(join(run, 'later'))?.deadline).toBe(7000);
  });

  it('the last line may be half written; a head that is damaged, of another version, or of nothing is none', () => {
    const file = open();
    file.keep(KEPT, ahead);
    file.add(entry('db'));
    appendFileSync(remainsPath(run), '{"add":{"service":"disk","cgr');
    expect(readRemains(run)?.entries).toEqual([entry('db')]);
    const text = readFileSync(remainsPath(run), 'utf8');
    const damaged = [
      '',
      '\n\n\n',
      text.slice(1),
      text.replace('"deadline":5000', '"deadline":"x"'),
      text.replace('"version":1', '"version":2'),
      text.replace('"stopGraceMs":100', '"stopGraceMs":null'),
      `[]\n${text}`,
    ];
    for (const content of damaged) {
      writeFileSync(remainsPath(run), content);
      expect(readRemains(run)).toBeNull();
    }
  });
});

describe('who may take it up', () => {
  const leave = () => {
    writeFileSync(owner.config, `node: controller-0\nrunDirectory: ${JSON.stringify(run)} # here\n`);
    open().keep({ ...KEPT, deadline: Number.POSITIVE_INFINITY }, () => null);
  };

  it('a node of the same configuration in the same life of the kernel', () => {
    leave();
    expect(takeUp(owner.config)?.found.owner).toMatchObject(owner);
    expect(findRemains(run, join(run, 'other.yaml'))).toBeNull();
    writeFileSync(owner.kernelLifeFile, life('the next'));
    expect(takeUp(owner.config)).toBeNull();
  });

  it('nobody while the one that guards it lives', () => {
    leave();
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'latin1');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const lock = join(run, 'sm-watchdog.lock');
    writeFileSync(lock, JSON.stringify({ pid: process.ppid, startTime }));
    expect(takeUp(owner.config)).toBeNull();
    writeFileSync(lock, JSON.stringify({ pid: process.ppid, startTime: '1' }));
    expect(takeUp(owner.config)).not.toBeNull();
    // Nor while an `sm` lives, which starts another one.
    writeFileSync(join(run, 'sm.lock'), JSON.stringify({ pid: process.ppid, startTime }));
    expect(takeUp(owner.config)).toBeNull();
  });

  it('nothing of a file that is none, or that says what nobody wrote', () => {
    leave();
    const path = remainsPath(run);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll('"current":null', '"current":{}'));
    expect(readRemains(run)?.lives.peer.current ?? null).toBeNull();
    rmSync(path);
    spawnSync('mkfifo', [path]);
    expect(readRemains(run)).toBeNull();
  });

  it.each([
    ['runDirectory: /run/a', '/run/a'],
    ['node: x\nrunDirectory:   "/run/b c"   # why\n', '/run/b c'],
    ["runDirectory: '/run/d'", '/run/d'],
    ['api: { }\n# runDirectory: /run/e', '/run/sm'],
    ['log:\n  runDirectory: /run/f', '/run/sm'],
  ])('finds the run directory in the text of a configuration: %j', (text, expected) => {
    writeFileSync(owner.config, text);
    expect(seemingRunDirectory(owner.config)).toBe(expected);
  });
});
