/** When a second node may be added, and when the other one may be removed. */
import { describe, expect, test } from 'vitest';
import { changeRefusal, type NodeChange } from '../../../src/core/membership.ts';
import type { EngineView } from '../../../src/core/view.ts';
import { operation, service, view } from '../cli/views.ts';

const ADD: NodeChange = {
  change: 'add',
  node: 'controller-1',
  port: 2222,
  links: [{ role: 'oam-interface', address: 'fd00::1', peerAddress: 'fd00::2' }],
};
const REMOVE: NodeChange = { change: 'remove', node: 'controller-1', dead: false };

/** A node that leads, may act and has nothing to do. */
function calm(change: Partial<EngineView> = {}): EngineView {
  const base = view();
  return {
    ...base,
    node: 'controller-0',
    domain: { ...base.domain, state: 'leader', leader: 'controller-0' },
    permission: { deadline: Number.POSITIVE_INFINITY, lost: false, reason: '' },
    operations: [],
    services: base.services.map((each) => ({ ...each, running: null })),
    numbers: base.numbers.map((each) => ({ ...each, holder: 'controller-0' })),
    ...change,
  };
}

const gone = {
  name: 'controller-1',
  heard: false,
  silentSince: 1,
  managerDownMs: 0,
  leaving: true,
  exchanged: false,
  lockedForGood: true,
};

describe('a second node', () => {
  test('can be added to one that is alone, leads and may act', () => {
    expect(changeRefusal(calm({ peer: null }), ADD)).toBeNull();
  });

  test.each<[string, Partial<EngineView>, Partial<NodeChange>]>([
    ['the domain has a second node already, controller-1', { peer: gone }, {}],
    ['controller-0 is this node', { peer: null }, { node: 'controller-0' }],
    [
      'the name of a node has letters, digits, dots, underscores and dashes',
      { peer: null },
      { node: 'controller 1' },
    ],
    [
      'controller-0 does not lead the domain',
      { peer: null, domain: { ...view().domain, state: 'waiting' } },
      {},
    ],
    [
      'controller-0 may not act: permission was lost',
      { peer: null, permission: { deadline: 0, lost: true, reason: 'permission was lost' } },
      {},
    ],
    [
      'swact of controller-0 is under way: wait for its end',
      { peer: null, operations: [operation({ kind: 'swact', node: 'controller-0', step: 'stopping' })] },
      {},
    ],
    [
      'keystone is being changed (enable): wait for its end',
      { peer: null, services: [service('keystone', { running: 'enable' })] },
      {},
    ],
  ])('is refused: %s', (sentence, state, change) => {
    expect(changeRefusal(calm(state), { ...ADD, ...change } as NodeChange)).toBe(sentence);
  });

  test('an audit is no change', () => {
    const services = [service('keystone', { running: 'audit-enabled' })];
    expect(changeRefusal(calm({ peer: null, services }), ADD)).toBeNull();
  });
});

describe('the other node', () => {
  test('can be removed when it was locked, by its own word, and is stopped', () => {
    expect(changeRefusal(calm({ peer: gone }), REMOVE)).toBeNull();
    expect(changeRefusal(calm({ peer: { ...gone, heard: true } }), REMOVE)).toBeNull();
  });

  test('or on the word of the operator, when it is silent and nothing is held by it', () => {
    const dead = { ...gone, leaving: false, lockedForGood: false };
    expect(changeRefusal(calm({ peer: dead }), REMOVE)).toMatch(/has not said that it is locked.*--dead/);
    expect(changeRefusal(calm({ peer: dead }), { ...REMOVE, dead: true })).toBeNull();
  });

  test.each<[string, Partial<EngineView>, Partial<NodeChange>]>([
    ['controller-0 is the only node of the domain', { peer: null }, {}],
    ['the other node is controller-1, not controller-2', { peer: gone }, { node: 'controller-2' }],
    [
      'controller-1 is heard: lock it (smctl lock controller-1) and stop sm on it first',
      { peer: { ...gone, heard: true, leaving: false } },
      {},
    ],
    [
      'vim-services is recorded as active on controller-1: if that is dead, say so first (smctl confirm-dead controller-1)',
      {
        peer: gone,
        numbers: [
          { group: 'vim-services', held: 0, stopped: 0, max: 4, holder: 'controller-1', holderActivation: 4 },
        ],
      },
      {},
    ],
    [
      'controller-0 does not lead the domain',
      { peer: gone, domain: { ...view().domain, state: 'backup' } },
      {},
    ],
  ])('is not removed: %s', (sentence, state, change) => {
    for (const dead of [false, true])
      expect(changeRefusal(calm(state), { ...REMOVE, ...change, dead } as NodeChange)).toBe(sentence);
  });
});
