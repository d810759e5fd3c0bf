/** Two programs of different age: what each sends to the other, and what the older one makes of it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, TAG_BYTES, UNSIGNED_KEY_ID } from '../../../src/core/link/frame.ts';
import { decodeReport, encodeReport } from '../../../src/core/link/report.ts';
import type { Frame } from '../../../src/core/link/types.ts';
import { versionFor } from '../../../src/core/link/version.ts';
import * as frameV1 from '../../support/codec-v1/frame.ts';
import * as reportV1 from '../../support/codec-v1/report.ts';
import { frame, report, sampleFrame } from './arbitrary.ts';

const tagged = (bytes: Uint8Array, { header }: Frame): Uint8Array =>
  Buffer.concat([bytes, Buffer.alloc(header.keyId === UNSIGNED_KEY_ID ? 0 : TAG_BYTES)]);
const inVersion1 = frame.map(({ header, ...rest }) => ({ ...rest, header: { ...header, version: 1 } }));

test('the highest version that both speak; the lowest of ours to whom we do not know', () => {
  expect(versionFor(null)).toBe(1);
  expect(versionFor({ versionMin: 1, versionMax: 1 })).toBe(1);
  expect(versionFor({ versionMin: 1, versionMax: 2 })).toBe(2);
  expect(versionFor({ versionMin: 2, versionMax: 9 })).toBe(2);
});

test('an older program reads our frames of version 1, whatever range they name, and we read its', () => {
  fc.assert(
    fc.property(inVersion1, (value) => {
      const bytes = tagged(encodeFrame(value), value);
      expect(frameV1.decodeFrame(bytes)).toEqual(decodeFrame(bytes));
      const { header } = value;
      const old = { ...value, header: { ...header, versionMin: 1, versionMax: 1 } };
      expect(decodeFrame(tagged(frameV1.encodeFrame(old), old))).toMatchObject({ ok: true, frame: old });
    }),
  );
});

test('reports of version 1 are the same bytes as before', () => {
  fc.assert(
    fc.property(report, (value) => {
      expect(Buffer.from(encodeReport(value))).toEqual(Buffer.from(reportV1.encodeReport(value)));
      expect(reportV1.decodeReport(encodeReport(value))).toEqual(decodeReport(encodeReport(value), 1));
    }),
  );
});

test('without a common version both sides know that it is the version, also of a layout that nobody knows', () => {
  expect(frameV1.decodeFrame(encodeFrame(sampleFrame({ version: 2 })))).toEqual({
    ok: false,
    cause: 'version',
  });
  const future = Uint8Array.from(encodeFrame(sampleFrame()));
  future.set([3, 3, 4], 4);
  expect(decodeFrame(future)).toEqual({ ok: false, cause: 'version' });
  expect(decodeFrame(future.subarray(0, 40))).toEqual({ ok: false, cause: 'version' });
});
