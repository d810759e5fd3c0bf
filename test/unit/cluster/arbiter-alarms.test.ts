import { expect, test } from 'vitest';
import type { Regime } from '../../../src/core/arbiter/regime.ts';
import { standingAlarms } from '../../../src/core/cluster/alarm-rules.ts';
import { cannotBeFenced, noThirdVote, notReplaced } from '../../../src/core/cluster/arbiter-alarms.ts';
import type { ArbiterView } from '../../../src/core/view.ts';

type Facts = Parameters<typeof noThirdVote>[0];

const VIEW: ArbiterView = {
  regime: 'record',
  connected: true,
  cause: null,
  reason: '',
  sole: false,
  wantsProof: '',
  recordLeader: 'controller-0',
  recordNumber: 3,
  recordMode: 'leased',
  devices: [],
  gateways: [],
  lastFence: '',
};
const ETCD = { endpoints: ['http://10.0.0.9:2379'] };

/** Only what the rules look at. */
function facts(
  arbiter: Partial<ArbiterView>,
  { etcd = ETCD, devices = [], peer = {}, held = [0, ''] }: Record<string, unknown> = {},
): Facts {
  const [own, holder] = held as [number, string];
  const context = {
    definitions: {
      domain: { name: 'controller' },
      arbiters: { etcd, disk: null, fencing: { devices } },
      interfaces: [{ address: '10.0.0.1', peerAddress: '10.0.0.2', authType: 'hmac-sha512' }],
    },
    peer: {
      name: 'controller-1',
      heard: true,
      silentSince: null,
      grant: null,
      mayTake: false,
      reason: '',
      ...(peer as object),
    },
    numbers: { all: () => [{ group: 'web', held: own, holder }] },
  };
  return { context, arbiter: { ...VIEW, ...arbiter } } as unknown as Facts;
}

test('no third vote: the record can not be asked, or has its votes on the two nodes alone', () => {
  expect([...noThirdVote(facts({}))]).toEqual([]);
  const [away] = noThirdVote(facts({ cause: 'unreachable', reason: '10.0.0.9:2379 refuses' }));
  expect(away).toMatchObject({ id: 'no-third-vote', severity: 'major' });
  expect(away?.reason).toContain('etcd can not be asked: 10.0.0.9:2379 refuses');
  expect([...noThirdVote(facts({ connected: false }))][0]?.reason).toContain('sm-arbiter is not there');
  const onNodes = facts({}, { etcd: { endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379'] } });
  expect([...noThirdVote(onNodes)]).toMatchObject([{ id: 'no-third-vote', severity: 'minor' }]);
  expect([...noThirdVote(facts({ regime: 'stay', connected: false }))]).toEqual([]);
});

test('a peer that can not be fenced now is told with device and reason, before it is needed', () => {
  const devices = [{ node: 'controller-1', name: 'bmc-1' }];
  const look = (ready: boolean) => ({
    arbiter: 'bmc-1',
    ready,
    cause: ready ? null : ('auth' as const),
    reason: ready ? '' : 'login failed: correct the secret',
    checkedAt: 0,
    tookMs: 1,
  });
  expect([...cannotBeFenced(facts({ devices: [look(true)] }, { devices }))]).toEqual([]);
  expect([...cannotBeFenced(facts({ devices: [look(false)] }, { devices }))]).toMatchObject([
    {
      id: 'cannot-be-fenced',
      entity: 'host=controller-1',
      reason: 'controller-1 can not be fenced now: bmc-1: login failed: correct the secret',
    },
  ]);
  const others = [{ node: 'controller-0', name: 'bmc-0' }];
  expect([...cannotBeFenced(facts({}, { devices: others }))][0]?.reason).toContain(
    'no fence device has the power',
  );
  expect([...cannotBeFenced(facts({}))]).toEqual([]);
});

test('a silent peer that is not replaced: why, and what would end it', () => {
  const silent = { heard: false, silentSince: 5, reason: 'the record has to say so: etcd is away' };
  const [alarm] = notReplaced(facts({ lastFence: 'failed: bmc-1' }, { peer: silent }));
  expect(alarm).toMatchObject({ id: 'peer-not-replaced', severity: 'critical' });
  expect(alarm?.reason).toBe(
    'controller-1 is silent, and is not replaced: the record has to say so: etcd is away; the last fencing: failed: bmc-1',
  );
  expect(alarm?.repair).toContain('smctl confirm-dead controller-1');
  for (const [arbiter, more] of [
    [{}, { peer: { ...silent, isReplaceable: true } }],
    [{}, { peer: { ...silent, heard: true } }],
    [{ sole: true }, { peer: silent }],
    [{ regime: 'takeover' }, { peer: silent }],
    [{}, { peer: silent, held: [4, 'controller-0'] }],
  ] as const)
    expect([...notReplaced(facts(arbiter, more))]).toEqual([]);
});

test('a virtual machine that can be paused: nothing but a fence device covers that', () => {
  const standing = (given: Record<string, unknown>, regime: Regime, virtualMachine = true) => {
    const { context } = facts({}, given);
    return standingAlarms({ ...context, me: 'controller-0' }, regime, virtualMachine).map(({ id }) => id);
  };
  const alarm = 'paused-virtual-machine';
  expect(standing({}, 'record')).toEqual([alarm]);
  expect(standing({}, 'record', false)).toEqual([]);
  expect(standing({ devices: [{ node: 'controller-1' }] }, 'record')).toEqual([]);
  expect(standing({ devices: [{ node: 'controller-1' }] }, 'fence')).toEqual([]);
  expect(standing({}, 'stay')).not.toContain(alarm);
  const { context } = facts({}, { etcd: null });
  const [told] = standingAlarms({ ...context, me: 'controller-0' }, 'record', true);
  expect(told).toMatchObject({ entity: 'host=controller-0', severity: 'minor' });
  expect(told?.reason).toMatch(/virtual machine, and the shared disk alone decides/);
  expect(told?.repair).toMatch(/SM_FENCE_DEVICES; .*virtualMachine: no in sm.yaml$/);
});
