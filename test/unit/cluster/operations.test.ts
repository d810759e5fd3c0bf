import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFinal, Operations } from '../../../src/core/cluster/operations.ts';
import type { PersistEffect } from '../../../src/core/engine-interface.ts';
import { OPERATION_STEPS, type Operation, type OperationStep } from '../../../src/core/link/types.ts';

const operation = (id: string, step: OperationStep = 'requested'): Operation => ({
  id,
  kind: 'swact',
  node: 'controller-0',
  group: '',
  step,
  actor: 'operator',
  why: 'maintenance',
  reason: '',
  requestedAt: 1000,
  limitMs: 300_000,
});

function operations(restored: readonly Operation[] = []) {
  const effects: PersistEffect[] = [];
  return { effects, operations: new Operations(restored, (effect) => effects.push(effect)) };
}

/** The clock of this node. */
const WALL = 5000;

describe('operations (rule 19)', () => {
  it('persists each step, and steps only rise', () => {
    const { operations: o, effects } = operations();
    o.add(operation('a'));
    expect(o.advance('a', 'stopping')?.step).toBe('stopping');
    expect(o.advance('a', 'accepted')).toBeNull();
    expect(o.advance('a', 'stopping')).toBeNull();
    expect(o.advance('b', 'done')).toBeNull();
    expect(effects.map((effect) => effect.type === 'persist.operation' && effect.operation.step)).toEqual([
      'requested',
      'stopping',
    ]);
  });

  it('keeps the first reason when a later step brings none', () => {
    const { operations: o } = operations([operation('a', 'stopping')]);
    o.advance('a', 'failed-back', 'oam-services failed there');
    expect(o.find('a')?.reason).toBe('oam-services failed there');
    expect(o.pending()).toEqual([]);
  });

  it('takes unknown unfinished ones from the peer, moves known ones on, and takes no finished one up again', () => {
    const { operations: o } = operations([operation('a', 'accepted')]);
    const changed = o.merge(
      [operation('a', 'stopped'), operation('b', 'accepted'), operation('c', 'done')],
      WALL,
    );
    const told = changed.map(({ operation: { id, step }, from }) => `${id} ${from} -> ${step}`);
    expect(told).toEqual(['a accepted -> stopped', 'b requested -> accepted']);
    expect(o.find('c')).toBeUndefined();
  });

  it('keeps the newest finished ones and, before them, everything unfinished', () => {
    const { operations: o } = operations();
    o.add(operation('open'));
    for (let i = 0; i < 40; i++) o.add(operation(`done-${i}`, 'done'));
    expect(o.all().length).toBe(16);
    expect(o.find('open')).toBeDefined();
    expect(o.find('done-39')).toBeDefined();
    expect(o.find('done-24')).toBeUndefined();
  });

  it('takes up no operation again that it forgot as ended, and tells the peer its end', () => {
    const { operations: o } = operations();
    o.add(operation('old', 'done'));
    for (let i = 0; i < 40; i++) o.add(operation(`later-${i}`, 'done'));
    expect(o.find('old')).toBeUndefined();
    expect(o.merge([operation('old', 'accepted')], WALL)).toEqual([]);
    expect(o.pending()).toEqual([]);
    expect(o.find('old')?.step).toBe('done');
    expect(o.all().length).toBe(16);
  });

  it('remembers after a restart what had ended, also beyond what it shows', () => {
    const stored = Array.from({ length: 100 }, (_, i) => operation(`x-${i}`, 'done'));
    const { operations: o, effects } = operations([operation('open', 'accepted'), ...stored]);
    expect(o.merge([operation('x-3', 'requested')], WALL)).toEqual([]);
    expect(o.pending().map(({ id }) => id)).toEqual(['open']);
    expect(effects).toEqual([]);
  });

  it('takes no more from the peer than there is room for, and drops none that is under way', () => {
    const { operations: o } = operations();
    o.merge(
      Array.from({ length: 64 }, (_, i) => operation(`open-${i}`, 'accepted')),
      WALL,
    );
    expect([o.all().length, o.full, o.find('open-0')?.step]).toEqual([16, true, 'accepted']);
  });

  it('merges without a quarrel: any order of exchanges ends with equal copies', () => {
    const steps = fc.array(fc.constantFrom(...OPERATION_STEPS), { maxLength: 6 });
    fc.assert(
      fc.property(steps, steps, fc.array(fc.boolean(), { maxLength: 8 }), (a, b, order) => {
        const one = operations([operation('x')]).operations;
        const two = operations([operation('x')]).operations;
        for (const step of a) one.advance('x', step);
        for (const step of b) two.advance('x', step);
        const before = [one.find('x')?.step ?? 'requested', two.find('x')?.step ?? 'requested'] as const;
        for (const first of [...order, true, false]) {
          const [to, from] = first ? [one, two] : [two, one];
          to.merge(from.all(), WALL);
        }
        expect(one.find('x')?.step).toBe(two.find('x')?.step);
        const higher = Math.max(...before.map((step) => OPERATION_STEPS.indexOf(step)));
        expect(one.find('x')?.step).toBe(OPERATION_STEPS[higher]);
      }),
    );
  });

  it('knows which steps are final', () => {
    expect(OPERATION_STEPS.filter((step) => isFinal(operation('x', step)))).toEqual([
      'done',
      'failed-back',
      'timed-out',
      'refused',
    ]);
  });
});
