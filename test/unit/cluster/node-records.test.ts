/** Which of two records of a node is believed. */
import { expect, test } from 'vitest';
import { NodeRecords } from '../../../src/core/cluster/node-records.ts';

const NAMES = ['controller-0', 'controller-1'];
const records = (me: string) => new NodeRecords(me, NAMES, [], () => {});

/** Each reads what the other one knows at this moment. */
function heal(a: NodeRecords, b: NodeRecords): void {
  const ofA = a.all();
  a.merge(b.all());
  b.merge(ofA);
}

test.each([
  'locked',
  'unlocked',
] as const)('the order %s outlives what the node renewed meanwhile', (wanted) => {
  const [own, other] = [records('controller-0'), records('controller-1')];
  own.setAdministrative('controller-0', wanted === 'locked' ? 'unlocked' : 'locked', 0, 'before');
  heal(own, other);
  other.setAdministrative('controller-0', wanted, 0, 'order');
  for (let count = 0; count < 3; count += 1) own.renew();
  heal(own, other);
  for (const each of [own, other])
    expect(each.find('controller-0')).toMatchObject({ administrative: wanted, lockReason: 'order' });
});

test('who has read a renewal reports the version of it', () => {
  const [own, other] = [records('controller-0'), records('controller-1')];
  own.setAdministrative('controller-0', 'locked', 0, 'order');
  heal(own, other);
  own.renew();
  const version = own.own.administrativeVersion;
  expect(other.find('controller-0')?.administrativeVersion).toBeLessThan(version);
  heal(own, other);
  expect(other.find('controller-0')).toMatchObject({
    administrative: 'locked',
    administrativeVersion: version,
  });
});

test('of two orders that were given apart both sides believe the same one', () => {
  const [own, other] = [records('controller-0'), records('controller-1')];
  own.setAdministrative('controller-0', 'unlocked', 0, 'here');
  other.setAdministrative('controller-0', 'locked', 0, 'there');
  heal(own, other);
  expect(own.find('controller-0')).toEqual(other.find('controller-0'));
});
