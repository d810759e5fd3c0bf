import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PART_BYTES_MAX } from '../../../src/core/link/frame.ts';
import { ReportAssembler, splitReport, withTail } from '../../../src/core/link/parts.ts';
import {
  decodeReport,
  encodeReport,
  encodeReportTail,
  REPORT_LIMITS,
} from '../../../src/core/link/report.ts';
import type { GroupReport, Operation, Report } from '../../../src/core/link/types.ts';
import { report } from './arbitrary.ts';

const LIFE = 'aa'.repeat(16);
const OTHER_LIFE = 'bb'.repeat(16);

const GROUP: GroupReport = {
  name: 'web-services',
  state: 'active',
  desired: 'active',
  status: '',
  condition: '',
  health: 2 ** 48 - 1,
  runs: 4,
  inactive: false,
  stopped: 3,
  activationMax: 4,
  holder: 'controller-0',
  holderActivation: 4,
  order: 'standby',
  reason: '',
};

const OPERATION: Operation = {
  id: 'controller-0-1a2b3c4d-1',
  kind: 'swact',
  node: 'controller-0',
  group: '',
  step: 'stopping',
  actor: 'root',
  why: 'maintenance',
  reason: '',
  requestedAt: 1_800_000_000_000,
  limitMs: 60_000,
};

const REPORT: Report = {
  definitionDigest: 'ab'.repeat(32),
  domainState: 'leader',
  leader: 'controller-0',
  number: 12,
  settled: true,
  basedOn: 99,
  nodes: [
    {
      name: 'controller-0',
      administrative: 'unlocked',
      operational: 'enabled',
      availability: 'available',
      ready: 'enabled',
      administrativeVersion: 3,
      lockedUntil: 0,
      lockReason: '',
    },
  ],
  groups: [GROUP],
  operations: [OPERATION],
};

function many<T>(count: number, one: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => one(i));
}

describe('codec', () => {
  test('round trip', () => {
    fc.assert(
      fc.property(report, (value) => {
        expect(decodeReport(encodeReport(value), 1)).toEqual({ ok: true, report: value });
      }),
    );
  });

  test('every truncation is refused; every change of one byte decodes or is refused', () => {
    const bytes = encodeReport(REPORT);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeReport(bytes.subarray(0, length), 1).ok).toBe(false);
    }
    for (let at = 0; at < bytes.length; at += 1) {
      for (let byte = 0; byte < 256; byte += 1) {
        const changed = Uint8Array.from(bytes);
        changed[at] = byte;
        const decoded = decodeReport(changed, 1);
        // What passes is spelled as the encoder spells it.
        if (decoded.ok && !Buffer.from(encodeReport(decoded.report)).equals(changed)) {
          expect.fail(`byte ${at} set to ${byte} has a second spelling`);
        }
      }
    }
  });

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        const decoded = decodeReport(bytes, 1);
        expect(decoded.ok || decoded.reason.length > 0).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, Report]>([
    ['a group stands twice', { ...REPORT, groups: [GROUP, GROUP] }],
    ['an operation stands twice', { ...REPORT, operations: [OPERATION, OPERATION] }],
    ['a name is missing', { ...REPORT, groups: [{ ...GROUP, name: '' }] }],
  ])('refused: %s', (reason, value) => {
    expect(decodeReport(encodeReport(value), 1)).toEqual({ ok: false, reason });
  });

  test('what came later follows, and fields of the future, but not in version 1', () => {
    const bytes = Buffer.from(encodeReport(REPORT));
    expect(encodeReportTail(REPORT)).toHaveLength(0);
    const tail = encodeReportTail({ ...REPORT, shotsMs: 1700 });
    expect(tail.length).toBeLessThanOrEqual(REPORT_LIMITS.tailBytesMax);
    const longer = Buffer.concat([bytes, tail, Buffer.from([0])]);
    expect(decodeReport(bytes, 2)).toEqual({ ok: true, report: REPORT });
    expect(decodeReport(longer, 2)).toEqual({ ok: true, report: { ...REPORT, shotsMs: 1700 } });
    expect(decodeReport(longer, 1)).toEqual({ ok: false, reason: '7 bytes too many' });
    expect(decodeReport(longer.subarray(0, bytes.length + 3), 2).ok).toBe(false);
  });

  test('long texts are cut, never in the middle of a character', () => {
    const long = { ...GROUP, reason: `${'x'.repeat(255)}😀 and more` };
    const decoded = decodeReport(encodeReport({ ...REPORT, groups: [long] }), 1);
    expect(decoded.ok && decoded.report.groups[0]?.reason).toBe('x'.repeat(255));
  });

  test('the largest report fits, by giving up its texts', () => {
    const largest: Report = {
      ...REPORT,
      groups: many(REPORT_LIMITS.groupsMax, (i) => ({
        ...GROUP,
        name: `${i}-`.padEnd(31, 'g'),
        holder: 'c'.repeat(31),
        reason: '漢'.repeat(256),
      })),
      operations: many(REPORT_LIMITS.operationsMax, (i) => ({
        ...OPERATION,
        id: `${i}-`.padEnd(64, '漢'),
        actor: '漢'.repeat(64),
        why: '漢'.repeat(256),
        reason: '漢'.repeat(256),
      })),
    };
    const bytes = encodeReport(largest);
    expect(splitReport(bytes).length).toBeLessThanOrEqual(64);
    expect(decodeReport(bytes, 1).ok).toBe(true);
  });

  test('one more than the limit is refused by the encoder', () => {
    const groups = many(REPORT_LIMITS.groupsMax + 1, (i) => ({ ...GROUP, name: `g${i}` }));
    expect(() => encodeReport({ ...REPORT, groups })).toThrow(/256 groups/);
  });
});

describe('parts', () => {
  const piece = (parts: readonly Uint8Array[], part: number, version = 5, life = LIFE) => ({
    life,
    version,
    part,
    parts: parts.length,
    body: parts[part]!,
  });

  test('in any order, with repetitions, the report is told once', () => {
    const bytesAndSize = fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 500 }),
      fc.integer({ min: 10, max: PART_BYTES_MAX }),
    );
    fc.assert(
      fc.property(bytesAndSize, fc.infiniteStream(fc.nat()), ([bytes, size], random) => {
        const parts = splitReport(bytes, size);
        const assembler = new ReportAssembler();
        const seen = new Set<number>();
        let told = 0;
        for (const value of random) {
          const part = value % parts.length;
          const result = assembler.add(piece(parts, part));
          expect(result.kind).toBe(
            seen.has(part) ? 'known' : seen.size === parts.length - 1 ? 'complete' : 'pending',
          );
          seen.add(part);
          if (result.kind === 'complete') {
            told += 1;
            expect([...result.bytes]).toEqual([...bytes]);
            break;
          }
        }
        expect(told).toBe(1);
        expect(assembler.add(piece(parts, 0)).kind).toBe('known');
      }),
    );
  });

  test('a newer version replaces an unfinished one, whose late parts are old', () => {
    const parts = splitReport(new Uint8Array(30).fill(1), 10);
    const assembler = new ReportAssembler();
    expect(assembler.add(piece(parts, 0, 5)).kind).toBe('pending');
    expect(assembler.add(piece(parts, 1, 6))).toEqual({ kind: 'pending', missing: 2 });
    expect(assembler.add(piece(parts, 1, 5)).kind).toBe('old');
    expect(assembler.add(piece(parts, 0, 6)).kind).toBe('pending');
    expect(assembler.add(piece(parts, 2, 6)).kind).toBe('complete');
  });

  test('another life starts anew, also with a lower version', () => {
    const parts = splitReport(Uint8Array.of(1, 2), 2);
    const assembler = new ReportAssembler();
    expect(assembler.add(piece(parts, 0, 9)).kind).toBe('complete');
    expect(assembler.add(piece(parts, 0, 1, OTHER_LIFE)).kind).toBe('complete');
  });

  test('what goes behind a report fits into its last part, whatever its length', () => {
    for (let length = 1; length < 40; length += 1) {
      const parts = splitReport(new Uint8Array(length).fill(7), 10, 3);
      const tailed = withTail(parts, Uint8Array.of(1, 2, 3));
      expect(tailed).toHaveLength(parts.length);
      expect(Math.max(...tailed.map((part) => part.length))).toBeLessThanOrEqual(10);
      expect(Math.min(...parts.map((part) => part.length))).toBeGreaterThan(0);
      expect(Buffer.concat(parts)).toEqual(Buffer.alloc(length, 7));
      expect(Buffer.concat(tailed)).toEqual(Buffer.from([...Buffer.alloc(length, 7), 1, 2, 3]));
    }
  });

  test('parts that contradict each other are malformed and change nothing', () => {
    const parts = splitReport(Uint8Array.of(1, 2, 3, 4), 2);
    const assembler = new ReportAssembler();
    assembler.add(piece(parts, 0));
    expect(assembler.add({ ...piece(parts, 1), parts: 3 }).kind).toBe('malformed');
    expect(assembler.add({ ...piece(parts, 0), body: Uint8Array.of(9, 9) }).kind).toBe('malformed');
    for (const change of [{ parts: 65 }, { part: 2 }, { version: 0 }, { body: new Uint8Array(0) }]) {
      expect(assembler.add({ ...piece(parts, 1), ...change }).kind).toBe('malformed');
    }
    expect(assembler.add(piece(parts, 1))).toMatchObject({
      kind: 'complete',
      bytes: Uint8Array.of(1, 2, 3, 4),
    });
  });
});
