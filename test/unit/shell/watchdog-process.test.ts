import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { KillList } from '../../../src/shell/watchdog/kill-list.ts';
import { WatchdogProcess } from '../../../src/shell/watchdog/process.ts';
import { DOMAIN, life } from '../../support/guard-driver.ts';
import { FakeTime, silentLog } from './fakes.ts';

test('a pid file that can not be read on a hung mount keeps no sign of life from systemd', () => {
  const time = new FakeTime();
  let alive = 0;
  let looks = 0;
  class HungKillList extends KillList {
    override refresh(): Promise<void> {
      looks += 1;
      return new Promise(() => {});
    }
  }
  const watchdog = new WatchdogProcess({
    guard: {
      node: 'controller-0',
      peer: null,
      clusterId: '00'.repeat(8),
      domain: DOMAIN,
      interfaces: [],
      processLife: life('own'),
      kernelLife: life('own kernel'),
      productUuid: life('own machine'),
      copyExpected: true,
    },
    wire: null,
    killList: new HungKillList(),
    selfFence: () => ({ fire: () => {} }),
    startSm: () => ({ stream: new PassThrough(), end: () => {}, alive: () => true, pid: 2 }),
    adopted: null,
    serviceManager: {
      ready: () => {},
      alive: () => {
        alive += 1;
      },
      stopping: () => {},
    },
    exit: () => {},
    time: {
      now: () => time.now(),
      defer: (work) => time.defer(work),
      after: (delayMs, work) => time.after(delayMs, work),
    },
    log: silentLog,
  });
  watchdog.start();
  time.advance(5000);
  expect(alive).toBeGreaterThanOrEqual(5);
  expect(looks).toBe(1);
});
