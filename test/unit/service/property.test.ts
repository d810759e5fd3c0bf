/** Random orders, deaths, outcomes and pauses: what must hold at all times, and that everything comes to rest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SERVICE_STATES } from '../../../src/core/kernel/names.ts';
import { GROUP_EVENTS, GROUP_TABLE, GROUP_WORKS } from '../../../src/core/service/group-table.ts';
import type { RunOutcome } from '../../../src/core/service/interface.ts';
import {
  DRIVE_TABLE,
  SERVICE_EVENTS,
  SERVICE_TABLE,
  SERVICE_WORKS,
} from '../../../src/core/service/service-table.ts';
import { definitionSet, needs, pair } from '../../support/local-definitions.ts';
import { LocalDriver, type Script } from '../../support/local-driver.ts';

const DEFINITIONS = definitionSet({
  groups: {
    control: {
      exclusive: true,
      services: {
        ip: {},
        drbd: { promotable: true },
        fs: { kernelState: true },
        db: { pidFile: '/run/db.pid' },
      },
    },
    web: { services: { proxy: { type: 'ocf-script' }, site: { impact: 'minor' } } },
  },
  dependencies: [
    ...pair('fs', 'drbd'),
    ...pair('db', 'fs'),
    ...pair('db', 'ip'),
    ...pair('site', 'proxy'),
    ...pair('proxy', 'ip'),
    needs('drbd', 'go-active', 'ip', 'enabled-active'),
    needs('drbd', 'go-standby', 'fs', 'disabled'),
  ],
  throttle: 2,
});
const SERVICES = [...DEFINITIONS.services.keys()];

type Op =
  | { readonly op: 'want'; readonly group: string; readonly desired: 'active' | 'standby' | 'disabled' }
  | { readonly op: 'revoke' }
  | { readonly op: 'pass'; readonly ms: number }
  | {
      readonly op: 'die' | 'restart' | 'restart-safe' | 'unmanage' | 'manage' | 'recover' | 'audit' | 'truth';
      readonly service: string;
    };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('want' as const),
      group: fc.constantFrom('control', 'web'),
      desired: fc.constantFrom('active' as const, 'active' as const, 'standby' as const, 'disabled' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'revoke' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('pass' as const),
      ms: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom(1000, 20_000, 400_000)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom(
        'die',
        'restart',
        'restart-safe',
        'unmanage',
        'manage',
        'recover',
        'audit',
        'truth',
      ),
      service: fc.constantFrom(...SERVICES),
    }),
  },
);

const outcome: fc.Arbitrary<RunOutcome> = fc.oneof(
  fc.record({ kind: fc.constant('exit' as const), code: fc.constantFrom(0, 1, 3, 4, 7, 8, 9, 35, 40, 99) }),
  fc.constant({ kind: 'signal', signal: 'SIGSEGV' } as const),
  fc.constant({ kind: 'refused', reason: 'no such script' } as const),
  fc.constant({ kind: 'refused', reason: 'commit failed', transient: true } as const),
  fc.constant({ kind: 'killed', stopped: true, reason: 'no such script' } as const),
  fc.constant({ kind: 'killed', stopped: false, reason: 'no such script' } as const),
  fc.constant({ kind: 'aborted' } as const),
);
const script: fc.Arbitrary<Script | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.record({ afterMs: fc.integer({ min: 0, max: 12_000 }) }) },
  { weight: 2, arbitrary: fc.record({ end: outcome, afterMs: fc.integer({ min: 1, max: 40 }) }) },
);

function perform(d: LocalDriver, op: Op, activation: number): void {
  switch (op.op) {
    case 'want':
      d.want(op.group, op.desired, activation);
      break;
    case 'revoke':
      d.step({ type: 'group.revoke', group: 'control', reason: 'test' });
      break;
    case 'pass':
      d.pass(op.ms);
      break;
    case 'die':
      d.die(op.service);
      break;
    case 'restart':
    case 'restart-safe':
      d.step({
        type: 'service.restart',
        service: op.service,
        safe: op.op === 'restart-safe',
        reason: 'test',
      });
      break;
    case 'unmanage':
    case 'manage':
      d.step({ type: 'service.manage', service: op.service, managed: op.op === 'manage', reason: 'test' });
      break;
    case 'recover':
      d.step({ type: 'service.recover', service: op.service });
      break;
    case 'audit':
      d.step({ type: 'service.audit', service: op.service });
      break;
    case 'truth':
      d.truth.set(op.service, 'active');
      break;
  }
}

/** What must hold whenever the engine has come to rest. The driver checks one script per service and the tokens. */
function check(d: LocalDriver): void {
  expect(d.engine.load.running).toBe(d.running.size);
  const enabling = d.engine.services().filter((service) => service.state === 'enabling');
  expect(d.engine.load.tickets).toBe(enabling.length);
  for (const service of d.engine.services()) {
    const idle = service.running === null && service.wait === null;
    const standing = /^(initial|unknown|disabled|enabled-standby|enabled-active|shutdown)$/.test(
      service.state,
    );
    expect(standing || !idle, `${service.name} ${service.state} neither runs nor waits`).toBe(true);
  }
  const group = d.engine.group('control');
  for (const { effect } of d.running.values()) {
    if (effect.token !== null) expect(group.inactive).toBe(false);
  }
}

describe('random sequences', () => {
  it('keep what must hold, and end where they are wanted once scripts behave', () => {
    fc.assert(
      fc.property(
        fc.array(op, { maxLength: 40 }),
        fc.array(script, { minLength: 1, maxLength: 60 }),
        (ops, scripts) => {
          let next = 0;
          const behaviour = () => scripts[next++ % scripts.length];
          const d = new LocalDriver(DEFINITIONS, { maxRunning: 3, behaviour });
          ops.forEach((one, index) => {
            perform(d, one, index + 1);
            check(d);
          });
          d.behaviour = () => undefined;
          for (const service of SERVICES) {
            d.step({ type: 'service.manage', service, managed: true, reason: 'end' });
          }
          d.pass(60_000);
          d.want('control', 'active', 1000);
          d.want('web', 'active');
          for (let round = 0; round < 3; round += 1) {
            for (const service of SERVICES) d.step({ type: 'service.recover', service });
            d.pass(400_000);
            check(d);
          }
          for (const service of SERVICES) expect(d.engine.service(service).state).toBe('enabled-active');
          d.step({ type: 'group.revoke', group: 'control', reason: 'end' });
          d.until(() => d.engine.group('control').inactive);
          for (const name of ['ip', 'drbd', 'fs', 'db'])
            expect(d.truth.get(name) ?? 'stopped').not.toBe('active');
          d.want('web', 'disabled');
          d.pass(120_000);
          for (const service of SERVICES) expect(d.state(service)).toBe('disabled');
          expect(d.engine.load).toMatchObject({ running: 0, tickets: 0 });
        },
      ),
      { numRuns: 80 },
    );
  });

  it('give the same effects when run again', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 30 }), (ops) => {
        const run = () => {
          const d = new LocalDriver(DEFINITIONS, { maxRunning: 2 });
          ops.forEach((one, index) => {
            perform(d, one, index + 1);
          });
          return JSON.stringify(d.effects);
        };
        expect(run()).toBe(run());
      }),
      { numRuns: 20 },
    );
  });
});

describe('tables', () => {
  it('have every cell, and no work that nobody asks for', () => {
    const used = new Set<string>();
    for (const state of SERVICE_STATES) {
      expect(Object.keys(SERVICE_TABLE[state]).sort()).toEqual([...SERVICE_EVENTS].sort());
      for (const cell of Object.values(SERVICE_TABLE[state])) used.add(cell);
    }
    used.delete('ignore');
    used.delete('never');
    expect([...used].sort()).toEqual(Object.keys(SERVICE_WORKS).sort());
    const groupUsed = new Set<string>(Object.values(GROUP_TABLE).flatMap((row) => Object.values(row)));
    groupUsed.delete('ignore');
    groupUsed.delete('never');
    expect([...groupUsed].sort()).toEqual(Object.keys(GROUP_WORKS).sort());
    for (const row of Object.values(GROUP_TABLE))
      expect(Object.keys(row).sort()).toEqual([...GROUP_EVENTS].sort());
  });

  it('only ask a service for what its state has work for', () => {
    for (const state of SERVICE_STATES) {
      for (const event of Object.values(DRIVE_TABLE[state])) {
        if (event !== null) expect(['never', 'ignore']).not.toContain(SERVICE_TABLE[state][event]);
      }
    }
  });
});
