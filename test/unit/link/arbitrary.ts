/** Random but valid frames and reports. */
import fc from 'fast-check';
import {
  ADMINISTRATIVE_STATES,
  AVAILABILITY_STATUSES,
  CONDITIONS,
  DOMAIN_STATES,
  GROUP_DESIRED_STATES,
  GROUP_STATES,
  INTERFACE_ROLES,
  OPERATIONAL_STATES,
  READY_STATES,
  STATUSES,
} from '../../../src/core/kernel/names.ts';
import { U48_MAX } from '../../../src/core/link/bytes.ts';
import { NO_LIFE, PART_BYTES_MAX } from '../../../src/core/link/frame.ts';
import {
  type Frame,
  type FrameHeader,
  OPERATION_KINDS,
  OPERATION_STEPS,
  type Report,
} from '../../../src/core/link/types.ts';

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u48 = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: U48_MAX }));
const life = hex(16).filter((value) => value !== NO_LIFE);
const nodeName = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/);
const name = fc.string({ minLength: 1, maxLength: 31, unit: 'binary-ascii' });
const text = (maxLength: number) =>
  fc.string({ maxLength, unit: 'grapheme' }).filter((t) => t.length <= maxLength);

const header: fc.Arbitrary<FrameHeader> = fc.record({
  version: fc.integer({ min: 1, max: 2 }),
  versionMin: fc.constant(1),
  versionMax: fc.integer({ min: 2, max: 255 }),
  clusterId: hex(8),
  sender: nodeName,
  receiver: nodeName,
  interfaceRole: fc.constantFrom(...INTERFACE_ROLES),
  keyId: hex(4),
  processLife: life,
  kernelLife: life,
  productUuid: hex(16),
  echoLife: life,
  echoSequence: u48,
  sequence: u48.map((value) => Math.max(value, 1)),
  permissionMs: u32,
  stopBoundMs: u32,
  managerDownMs: u32,
  linkBits: fc.integer({ min: 0, max: 255 }),
  reportVersion: u48.map((value) => Math.max(value, 1)),
  announceNumber: u48,
  leaving: fc.boolean(),
});

export const heartbeat: fc.Arbitrary<Frame> = header.map((value) => ({
  header: value,
  part: 0,
  parts: 0,
  body: new Uint8Array(0),
}));

export const reportFrame: fc.Arbitrary<Frame> = fc
  .tuple(
    header,
    fc.integer({ min: 1, max: 64 }),
    fc.nat(),
    fc.uint8Array({ minLength: 1, maxLength: PART_BYTES_MAX }),
  )
  .map(([value, parts, part, body]) => ({ header: value, part: part % parts, parts, body }));

export const frame = fc.oneof(heartbeat, reportFrame);

export const report: fc.Arbitrary<Report> = fc.record({
  definitionDigest: hex(32),
  domainState: fc.constantFrom(...DOMAIN_STATES),
  leader: fc.oneof(fc.constant(''), nodeName),
  number: u48,
  settled: fc.boolean(),
  basedOn: u48,
  nodes: fc.uniqueArray(
    fc.record({
      name: nodeName,
      administrative: fc.constantFrom(...ADMINISTRATIVE_STATES),
      operational: fc.constantFrom(...OPERATIONAL_STATES),
      availability: fc.constantFrom(...AVAILABILITY_STATUSES),
      ready: fc.constantFrom(...READY_STATES),
      administrativeVersion: u48,
      lockedUntil: u48,
      lockReason: text(256),
    }),
    { maxLength: 2, selector: (node) => node.name },
  ),
  groups: fc.uniqueArray(
    fc.record({
      name,
      state: fc.constantFrom(...GROUP_STATES),
      desired: fc.constantFrom(...GROUP_DESIRED_STATES),
      status: fc.constantFrom(...STATUSES),
      condition: fc.constantFrom(...CONDITIONS),
      health: u48,
      runs: u48,
      inactive: fc.boolean(),
      stopped: u48,
      activationMax: u48,
      holder: fc.oneof(fc.constant(''), nodeName),
      holderActivation: u48,
      order: fc.constantFrom(...GROUP_DESIRED_STATES),
      reason: text(256),
    }),
    { maxLength: 12, selector: (group) => group.name },
  ),
  operations: fc.uniqueArray(
    fc.record({
      id: text(64),
      kind: fc.constantFrom(...OPERATION_KINDS),
      node: nodeName,
      group: fc.oneof(fc.constant(''), name),
      step: fc.constantFrom(...OPERATION_STEPS),
      actor: text(64),
      why: text(256),
      reason: text(256),
      requestedAt: u48,
      limitMs: u48,
    }),
    { maxLength: 4, selector: (operation) => operation.id },
  ),
});

/** One valid frame of controller-0 for controller-1, to vary field by field. */
export function sampleFrame(
  change: Partial<FrameHeader> = {},
  body: Partial<Omit<Frame, 'header'>> = {},
): Frame {
  return {
    header: {
      version: 1,
      versionMin: 1,
      versionMax: 2,
      clusterId: '00112233445566ff',
      sender: 'controller-0',
      receiver: 'controller-1',
      interfaceRole: 'management-interface',
      keyId: 'a1b2c3d4',
      processLife: '11'.repeat(16),
      kernelLife: '22'.repeat(16),
      productUuid: '33'.repeat(16),
      echoLife: '44'.repeat(16),
      echoSequence: 41,
      sequence: 42,
      permissionMs: 800,
      stopBoundMs: 300,
      managerDownMs: 0,
      linkBits: 0b0111_0111,
      reportVersion: 7,
      announceNumber: 0,
      leaving: false,
      ...change,
    },
    part: 0,
    parts: 0,
    body: new Uint8Array(0),
    ...body,
  };
}
