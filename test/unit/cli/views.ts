/** Hand-made views of an engine for the tests of what is said about them. */
import type { Operation } from '../../../src/core/link/types.ts';
import type { GroupView, ServiceView } from '../../../src/core/service/interface.ts';
import type { EngineView } from '../../../src/core/view.ts';

export const NOW = 1_000_000;
export const WALL = 1_800_000_000_000;

export function service(name: string, change: Partial<ServiceView> = {}): ServiceView {
  return {
    name,
    group: 'web',
    desired: 'enabled-active',
    state: 'enabled-active',
    status: '',
    condition: '',
    failCount: 0,
    managed: true,
    running: null,
    reason: '',
    wait: null,
    ...change,
  };
}

export function group(name: string, change: Partial<GroupView> = {}): GroupView {
  return {
    name,
    desired: 'active',
    state: 'active',
    status: '',
    condition: '',
    health: 1,
    reason: '',
    inactive: false,
    activation: 7,
    parked: '',
    stuck: '',
    ...change,
  };
}

export function operation(change: Partial<Operation> = {}): Operation {
  return {
    id: 'controller-0-ab-1',
    kind: 'swact',
    node: 'controller-0',
    group: '',
    step: 'stopping',
    actor: 'alice',
    why: '',
    reason: '',
    requestedAt: WALL,
    limitMs: 30_000,
    ...change,
  };
}

const NODE = {
  administrative: 'unlocked',
  operational: 'enabled',
  availability: 'available',
  ready: 'enabled',
  administrativeVersion: 1,
  lockedUntil: 0,
  lockReason: '',
} as const;

/** Two healthy nodes, seen from controller-0, which leads and holds `web`. */
export function view(change: Partial<EngineView> = {}): EngineView {
  return {
    now: NOW,
    node: 'controller-0',
    definitionDigest: '0123456789abcdef',
    domain: {
      name: 'controller',
      state: 'leader',
      leader: 'controller-0',
      number: 12,
      settled: true,
      policy: 'takeover',
    },
    permission: { deadline: NOW + 700, lost: false, reason: '' },
    peer: {
      name: 'controller-1',
      heard: true,
      silentSince: null,
      managerDownMs: 0,
      leaving: false,
      exchanged: true,
      lockedForGood: false,
    },
    links: [
      { role: 'management-interface', up: true, heard: true, reason: '' },
      { role: 'oam-interface', up: true, heard: true, reason: '' },
    ],
    nodes: [
      { name: 'controller-0', ...NODE },
      { name: 'controller-1', ...NODE },
    ],
    assignments: [
      {
        node: 'controller-0',
        group: 'web',
        desired: 'active',
        state: 'active',
        status: '',
        condition: '',
      },
      {
        node: 'controller-1',
        group: 'web',
        desired: 'standby',
        state: 'standby',
        status: '',
        condition: '',
      },
    ],
    numbers: [{ group: 'web', held: 7, stopped: 6, max: 7, holder: 'controller-0', holderActivation: 7 }],
    groups: [group('web')],
    services: [service('nginx'), service('address')],
    placements: [
      {
        group: 'web',
        node: 'controller-0',
        wanted: 'active',
        reasons: ['it is active here already', 'nothing is gained by moving it'],
      },
    ],
    operations: [],
    alone: [],
    waits: [],
    alarms: [],
    ...change,
  };
}
