import { expect, test } from 'vitest';
import { duration, explain, permissionInWords } from '../../../src/core/explain.ts';
import { group, NOW, operation, service, view, WALL } from './views.ts';

test('durations read as an operator says them', () => {
  expect(
    [0, 80.4, 999, 3210, 59_940, 59_960, 250_000, 3_600_000, 7_500_000, 86_400_000, 273_600_000].map(
      duration,
    ),
  ).toEqual([
    '0 ms',
    '80 ms',
    '999 ms',
    '3.2 s',
    '59.9 s',
    '1 min',
    '4 min 10 s',
    '1 h',
    '2 h 5 min',
    '1 d',
    '3 d 4 h',
  ]);
});

test('what nobody knows has no explanation', () => {
  expect(explain(view(), 'service', 'nope', WALL)).toEqual([]);
  expect(explain(view(), 'group', 'nope', WALL)).toEqual([]);
  expect(explain(view(), 'node', 'nope', WALL)).toEqual([]);
});

test('a healthy service needs one sentence', () => {
  expect(explain(view(), 'service', 'nginx', WALL)).toEqual([
    'nginx is enabled-active, as wanted on controller-0.',
  ]);
});

test('a waiting service says for what, since when, how long, and why it is wanted so', () => {
  const waiting = service('nginx', {
    state: 'enabled-standby',
    wait: {
      entity: 'service',
      name: 'nginx',
      reason: 'address must be enabled-active first',
      since: NOW - 1500,
      until: NOW + 8500,
    },
  });
  expect(explain(view({ services: [waiting] }), 'service', 'nginx', WALL)).toEqual([
    'nginx is enabled-standby; enabled-active is wanted on controller-0.',
    'It has waited 1.5 s: address must be enabled-active first; at most 8.5 s more.',
    'Its group web is wanted active on controller-0: it is active here already.',
  ]);
});

test('a failed service says what failed and what would end it', () => {
  const failed = service('nginx', {
    state: 'disabled',
    status: 'failed',
    condition: 'action-failure',
    failCount: 4,
    reason: 'enable exited with 1: no such file /etc/nginx.conf',
  });
  const lines = explain(view({ services: [failed] }), 'service', 'nginx', WALL);
  expect(lines.slice(0, 4)).toEqual([
    'nginx is disabled, failed; enabled-active is wanted on controller-0.',
    'Last cause: enable exited with 1: no such file /etc/nginx.conf.',
    'It has failed 4 times lately.',
    'Its script failed as often as MAX_ACTION_FAILURES allows; repair the cause, then "smctl recover web" tries again.',
  ]);
});

test('an unmanaged service and one whose script runs say so', () => {
  const odd = service('nginx', { managed: false, running: 'audit-enabled', desired: 'enabled-standby' });
  const alone = [{ service: 'nginx', reason: 'unmanage by bob', until: 0 }];
  const lines = explain(view({ services: [odd], alone }), 'service', 'nginx', WALL);
  expect(lines[1]).toBe(
    'It is left alone by order of an operator (unmanage by bob): "smctl manage nginx" takes it up again.',
  );
  expect(lines[2]).toBe('Its script runs "audit-enabled" now; its end decides.');
});

test('a group that is held up names the service that holds it up, the placement and the other node', () => {
  const lines = explain(
    view({
      groups: [group('web', { state: 'go-active' })],
      services: [
        service('address'),
        service('nginx', { state: 'enabling', running: 'enable', reason: 'enable runs' }),
      ],
    }),
    'group',
    'web',
    WALL,
  );
  expect(lines).toEqual([
    'web is go-active on controller-0; active is wanted.',
    'Its service nginx is enabling (enabled-active is wanted): enable runs.',
    'active is chosen for controller-0: it is active here already.',
    '  because nothing is gained by moving it.',
    'On controller-1 it is standby.',
    'controller-0 holds it under activation number 7.',
  ]);
});

test('a service that can only be active or disabled is settled when it is disabled in standby', () => {
  const disabled = service('nginx', { state: 'disabled', desired: 'enabled-standby' });
  const standby = view({
    groups: [group('web', { state: 'standby', desired: 'standby' })],
    services: [disabled],
  });
  expect(explain(standby, 'service', 'nginx', WALL)[0]).toBe('nginx is disabled, as wanted on controller-0.');
  expect(explain(standby, 'group', 'web', WALL).join()).not.toContain('nginx');
  const enabling = view({ services: [{ ...disabled, running: 'enable' }] });
  expect(explain(enabling, 'service', 'nginx', WALL)[0]).toContain('enabled-standby is wanted');
});

test('many members are counted, not listed', () => {
  const services = Array.from({ length: 9 }, (_, index) => service(`s${index}`, { state: 'disabled' }));
  const lines = explain(view({ services }), 'group', 'web', WALL);
  expect(lines.filter((line) => line.startsWith('Its service'))).toHaveLength(5);
  expect(lines).toContain('So are 4 more of its services.');
});

test('a group on a node without permission says why and what it waits for', () => {
  const lines = explain(
    view({
      permission: { deadline: NOW - 1, lost: true, reason: 'no link to where the peer was last heard is up' },
      groups: [group('web', { state: 'disabled', desired: 'disabled' })],
      waits: [{ entity: 'group', name: 'web', reason: 'permission', since: NOW - 2000, until: null }],
    }),
    'group',
    'web',
    WALL,
  );
  expect(lines).toContain('It has waited 2.0 s: permission; there is no limit, a change outside ends it.');
  expect(lines).toContain(
    'Permission on controller-0 is lost: no link to where the peer was last heard is up.',
  );
});

test('a locked node says why, until when, and how to end it', () => {
  const locked = (lockedUntil: number) =>
    explain(
      view({
        nodes: view().nodes.map((node) =>
          node.name === 'controller-1'
            ? { ...node, administrative: 'locked', lockedUntil, lockReason: 'new disk' }
            : node,
        ),
      }),
      'node',
      'controller-1',
      WALL,
    )[1];
  expect(locked(0)).toBe('controller-1 is locked (new disk) until "smctl unlock controller-1".');
  expect(locked(WALL + 7_200_000)).toBe('controller-1 is locked (new disk); the lock ends by itself in 2 h.');
  expect(locked(WALL - 1)).toBe('controller-1 is locked (new disk); the lock ends now.');
});

test('this node tells its permission, its leader, its links and its silent peer', () => {
  const lines = explain(
    view({
      domain: { ...view().domain, leader: 'controller-1', settled: false },
      links: [
        { role: 'management-interface', up: true, heard: false, reason: 'bad-signature' },
        { role: 'oam-interface', up: false, heard: false, reason: 'no carrier' },
      ],
      peer: {
        name: 'controller-1',
        heard: false,
        silentSince: NOW - 3000,
        managerDownMs: 0,
        leaving: true,
        exchanged: false,
        lockedForGood: false,
      },
      operations: [operation({ why: 'kernel update' }), operation({ step: 'done' })],
    }),
    'node',
    'controller-0',
    WALL,
  );
  expect(lines).toEqual([
    'controller-0 is unlocked-enabled-available; its readiness is enabled.',
    'Permission is held, renewed for the next 700 ms.',
    'controller-1 leads domain controller under number 12; this node follows.',
    'It has neither led nor exchanged with a settled peer since its kernel started.',
    'Its link management-interface is up, but the peer is not heard on it: bad-signature.',
    'Its link oam-interface is down: no carrier.',
    'controller-1 has been silent for 3.0 s; the policy is takeover: a silent peer is replaced after the dead interval, when our own links are up.',
    'controller-1 said that it stops in order.',
    'alice asked for a swact of controller-0 (kernel update); it is stopping.',
  ]);
});

test('what was heard of a silent node is told as past', () => {
  const silent = view({ peer: { ...view().peer!, heard: false, exchanged: false, silentSince: NOW - 3000 } });
  expect(explain(silent, 'group', 'web', WALL)).toContain(
    'On controller-1 it was standby when that was heard last.',
  );
  expect(explain(silent, 'node', 'controller-1', WALL)[0]).toBe(
    'controller-1 was unlocked-enabled-available when it was heard last; its readiness was enabled.',
  );
  expect(explain(silent, 'node', 'controller-0', WALL)[0]).toMatch(/^controller-0 is /);
});

test('permission in words', () => {
  expect(
    permissionInWords(view({ permission: { deadline: Infinity, lost: false, reason: 'simplex' } })),
  ).toBe('held, does not run out (simplex)');
  expect(permissionInWords(view({ permission: { deadline: NOW, lost: false, reason: '' } }))).toBe(
    'not held',
  );
});

test('the daemon tells its definitions, its scripts, its waits and its alarms', () => {
  const lines = explain(
    view({
      services: [service('nginx', { running: 'enable' })],
      alarms: [
        {
          id: 'policy-takeover',
          entity: 'controller',
          severity: 'minor',
          reason: 'no arbiter',
          repair: 'Configure one.',
          since: NOW,
        },
      ],
      peer: null,
    }),
    'daemon',
    '',
    WALL,
  );
  expect(lines[0]).toBe('sm on controller-0 runs domain controller with definitions 0123456789ab.');
  expect(lines).toContain('It has no peer.');
  expect(lines).toContain('Scripts run for one service: nginx (enable).');
  expect(lines.at(-1)).toBe(
    'minor alarm policy-takeover on controller: no arbiter. To end it: Configure one.',
  );
});
