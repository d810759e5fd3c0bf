/**
 * Bytes of a report, the body that travels in parts beside the heartbeats. Enumerations are the position of the word in
 * its ordered list, numbers 48 bits, texts UTF-8 after their length. Source: docs/reference/wire.md.
 *
 * A report always fits: free texts are cut, first to their limit and, in a report of uncommon size, further.
 */
import { assert } from '../kernel/assert.ts';
import { LIMITS } from '../kernel/limits.ts';
import {
  ADMINISTRATIVE_STATES,
  AVAILABILITY_STATUSES,
  CONDITIONS,
  DOMAIN_STATES,
  GROUP_DESIRED_STATES,
  GROUP_STATES,
  OPERATIONAL_STATES,
  READY_STATES,
  STATUSES,
} from '../kernel/names.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { PART_BYTES_MAX } from './frame.ts';
import {
  type GroupReport,
  type NodeReport,
  OPERATION_KINDS,
  OPERATION_STEPS,
  type Operation,
  type Report,
} from './types.ts';

export const REPORT_LIMITS = {
  /** Bytes of one report: what its parts can carry. */
  bytesMax: LIMITS.reportPartsMax * PART_BYTES_MAX,
  groupsMax: 255,
  operationsMax: 64,
  digestCharactersMax: 128,
  /** Characters of an operation's id and of its actor. */
  idCharactersMax: 64,
  tailBytesMax: 6,
} as const;

/** Longest free texts tried, in this order, until the report fits. */
const TEXT_CHARACTERS = [LIMITS.reasonCharactersMax, 64, 16, 0] as const;

export function encodeReport(report: Report): Uint8Array {
  assert(report.nodes.length <= LIMITS.nodesMax, () => `a report of ${report.nodes.length} nodes`);
  assert(report.groups.length <= REPORT_LIMITS.groupsMax, () => `a report of ${report.groups.length} groups`);
  assert(
    report.operations.length <= REPORT_LIMITS.operationsMax,
    () => `a report of ${report.operations.length} operations`,
  );
  for (const charactersMax of TEXT_CHARACTERS) {
    const bytes = reportBytes(report, charactersMax);
    if (bytes.length <= REPORT_LIMITS.bytesMax - REPORT_LIMITS.tailBytesMax) return bytes;
  }
  assert(false, 'a report does not fit even without its texts');
}

/** What goes behind a report from version 2 on; empty = nothing. */
export function encodeReportTail({ shotsMs }: Report): Uint8Array {
  const writer = new ByteWriter(REPORT_LIMITS.tailBytesMax);
  if (shotsMs !== undefined) writer.u48(shotsMs);
  return writer.finish();
}

export type DecodedReport =
  | { readonly ok: true; readonly report: Report }
  | { readonly ok: false; readonly reason: string };

/** The first version in which a report goes on behind its operations, and perhaps with fields that we do not know. */
export const VERSION_WITH_TAIL = 2;

/**
 * Strict: counts, lengths, words and names within limits, no name twice, and in version 1 nothing after the end. Never
 * throws. `version`: of the frames that it came in.
 */
export function decodeReport(bytes: Uint8Array, version: number): DecodedReport {
  if (bytes.length > REPORT_LIMITS.bytesMax)
    return { ok: false, reason: `${bytes.length} bytes are too many` };
  const reader = new ByteReader(bytes);
  const report: Report = {
    definitionDigest: reader.text(REPORT_LIMITS.digestCharactersMax),
    domainState: reader.word(DOMAIN_STATES),
    leader: readName(reader, 'optional'),
    number: reader.u48(),
    settled: reader.flag(),
    basedOn: reader.u48(),
    nodes: readList(reader, LIMITS.nodesMax, readNode),
    groups: readList(reader, REPORT_LIMITS.groupsMax, readGroup),
    operations: readList(reader, REPORT_LIMITS.operationsMax, readOperation),
  };
  if (version < VERSION_WITH_TAIL) reader.end();
  else if (reader.left > 0) Object.assign(report, { shotsMs: reader.u48() });
  if (hasTwice(report.nodes.map((node) => node.name))) reader.fail('a node stands twice');
  if (hasTwice(report.groups.map((group) => group.name))) reader.fail('a group stands twice');
  if (hasTwice(report.operations.map((operation) => operation.id))) reader.fail('an operation stands twice');
  return reader.fault === null ? { ok: true, report } : { ok: false, reason: reader.fault };
}

function reportBytes(report: Report, charactersMax: number): Uint8Array {
  const writer = new ByteWriter(4096);
  assert(report.definitionDigest.length <= REPORT_LIMITS.digestCharactersMax, 'digest too long');
  writer.text(report.definitionDigest);
  writer.word(DOMAIN_STATES, report.domainState);
  writeName(writer, report.leader);
  writer.u48(report.number);
  writer.flag(report.settled);
  writer.u48(report.basedOn);
  writer.u8(report.nodes.length);
  for (const node of report.nodes) writeNode(writer, node, charactersMax);
  writer.u8(report.groups.length);
  for (const group of report.groups) writeGroup(writer, group, charactersMax);
  writer.u8(report.operations.length);
  for (const operation of report.operations) writeOperation(writer, operation, charactersMax);
  return writer.finish();
}

function writeNode(writer: ByteWriter, node: NodeReport, charactersMax: number): void {
  writeName(writer, node.name);
  writer.word(ADMINISTRATIVE_STATES, node.administrative);
  writer.word(OPERATIONAL_STATES, node.operational);
  writer.word(AVAILABILITY_STATUSES, node.availability);
  writer.word(READY_STATES, node.ready);
  writer.u48(node.administrativeVersion);
  writer.u48(node.lockedUntil);
  writer.text(cut(node.lockReason, charactersMax));
}

function readNode(reader: ByteReader): NodeReport {
  return {
    name: readName(reader, 'required'),
    administrative: reader.word(ADMINISTRATIVE_STATES),
    operational: reader.word(OPERATIONAL_STATES),
    availability: reader.word(AVAILABILITY_STATUSES),
    ready: reader.word(READY_STATES),
    administrativeVersion: reader.u48(),
    lockedUntil: reader.u48(),
    lockReason: reader.text(LIMITS.reasonCharactersMax),
  };
}

function writeGroup(writer: ByteWriter, group: GroupReport, charactersMax: number): void {
  writeName(writer, group.name);
  writer.word(GROUP_STATES, group.state);
  writer.word(GROUP_DESIRED_STATES, group.desired);
  writer.word(STATUSES, group.status);
  writer.word(CONDITIONS, group.condition);
  writer.u48(group.health);
  writer.u48(group.runs);
  writer.flag(group.inactive);
  writer.u48(group.stopped);
  writer.u48(group.activationMax);
  writeName(writer, group.holder);
  writer.u48(group.holderActivation);
  writer.word(GROUP_DESIRED_STATES, group.order);
  writer.text(cut(group.reason, charactersMax));
}

function readGroup(reader: ByteReader): GroupReport {
  return {
    name: readName(reader, 'required'),
    state: reader.word(GROUP_STATES),
    desired: reader.word(GROUP_DESIRED_STATES),
    status: reader.word(STATUSES),
    condition: reader.word(CONDITIONS),
    health: reader.u48(),
    runs: reader.u48(),
    inactive: reader.flag(),
    stopped: reader.u48(),
    activationMax: reader.u48(),
    holder: readName(reader, 'optional'),
    holderActivation: reader.u48(),
    order: reader.word(GROUP_DESIRED_STATES),
    reason: reader.text(LIMITS.reasonCharactersMax),
  };
}

function writeOperation(writer: ByteWriter, operation: Operation, charactersMax: number): void {
  // An id that is cut would be another operation's.
  assert(
    operation.id.length <= REPORT_LIMITS.idCharactersMax,
    () => `operation id too long: ${operation.id}`,
  );
  writer.text(operation.id);
  writer.word(OPERATION_KINDS, operation.kind);
  writeName(writer, operation.node);
  writeName(writer, operation.group);
  writer.word(OPERATION_STEPS, operation.step);
  writer.text(cut(operation.actor, REPORT_LIMITS.idCharactersMax));
  writer.text(cut(operation.why, charactersMax));
  writer.text(cut(operation.reason, charactersMax));
  writer.u48(operation.requestedAt);
  writer.u48(operation.limitMs);
}

function readOperation(reader: ByteReader): Operation {
  return {
    id: reader.text(REPORT_LIMITS.idCharactersMax),
    kind: reader.word(OPERATION_KINDS),
    node: readName(reader, 'optional'),
    group: readName(reader, 'optional'),
    step: reader.word(OPERATION_STEPS),
    actor: reader.text(REPORT_LIMITS.idCharactersMax),
    why: reader.text(LIMITS.reasonCharactersMax),
    reason: reader.text(LIMITS.reasonCharactersMax),
    requestedAt: reader.u48(),
    limitMs: reader.u48(),
  };
}

function readList<T>(reader: ByteReader, countMax: number, readOne: (reader: ByteReader) => T): T[] {
  const count = reader.u8();
  if (count > countMax) reader.fail(`a list of ${count}, at most ${countMax} are allowed`);
  const list: T[] = [];
  while (list.length < count && reader.fault === null) list.push(readOne(reader));
  return list;
}

function writeName(writer: ByteWriter, name: string): void {
  assert(name.length <= LIMITS.nameCharactersMax, () => `name too long: ${name}`);
  writer.text(name);
}

function readName(reader: ByteReader, presence: 'required' | 'optional'): string {
  const name = reader.text(LIMITS.nameCharactersMax);
  if (presence === 'required' && name === '') reader.fail('a name is missing');
  return name;
}

function hasTwice(names: readonly string[]): boolean {
  return new Set(names).size !== names.length;
}

/** At most so many characters, and never half of one. */
function cut(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const last = text.charCodeAt(charactersMax - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? charactersMax - 1 : charactersMax);
}
