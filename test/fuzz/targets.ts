/** Everything that reads what others wrote. A target fails when it throws, takes too long, or breaks what it says of itself. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  readRecord,
  readSector,
  readStamp,
  recordText,
  sectorText,
  stampText,
} from '../../src/core/arbiter/record.ts';
import { buildDefinitions } from '../../src/core/definitions/build.ts';
import { parseAddress } from '../../src/core/definitions/internet-address.ts';
import { DEFINITION_TABLES, type RawRows } from '../../src/core/definitions/rows.ts';
import { admit } from '../../src/core/link/admission.ts';
import { decodeFrame, encodeFrame, NO_LIFE } from '../../src/core/link/frame.ts';
import { ReportAssembler } from '../../src/core/link/parts.ts';
import { ReplayGuard } from '../../src/core/link/replay.ts';
import { decodeReport, encodeReport, encodeReportTail } from '../../src/core/link/report.ts';
import type { Report } from '../../src/core/link/types.ts';
import { parseParameters } from '../../src/core/service/invocation.ts';
import { scriptTimes } from '../../src/core/story/durations.ts';
import { readMetadata } from '../../src/shell/arbiter/agent-metadata.ts';
import { parseConfig } from '../../src/shell/config.ts';
import {
  parseActor,
  parseCommand,
  parseNodeChange,
  parseRequest,
  parseWhy,
} from '../../src/shell/control-protocol.ts';
import { parsePidFile } from '../../src/shell/exec/pid-file.ts';
import { parseStat } from '../../src/shell/exec/procfs.ts';
import { LineSplitter } from '../../src/shell/lines.ts';
import { Channel } from '../../src/shell/pair/channel.ts';
import { splitStatements } from '../../src/shell/store/statements.ts';
import { Secrets } from '../../src/shell/support/secrets.ts';
import { replayLife } from '../../src/sim/replay.ts';
import { hostileJson, hostileText, mutatedBytes } from '../support/hostile.ts';
import { frame, report } from '../unit/link/arbitrary.ts';
import { recordLife, textOf } from '../unit/trace/record.ts';
import { ARBITER_TARGETS } from './arbiter-targets.ts';
import { STORED_TARGETS } from './stored-targets.ts';
import { type Target, target } from './target.ts';

const EXPECTED = {
  clusterId: '00'.repeat(8),
  role: 'management-interface',
  authType: 'none',
  ownName: 'controller-0',
  peerName: 'controller-1',
  ownProcessLife: 'ab'.repeat(16),
  ownEarlierLives: [],
} as const;

const wholeReport = (value: Report): Uint8Array =>
  Buffer.concat([encodeReport(value), encodeReportTail(value)]);

const METADATA = `<?xml version="1.0"?>
<resource-agent name="fence_x"><!-- a comment -->
<parameters><parameter name="ip" required="1"><getopt mixed="-a"/></parameter><parameter name='port'/></parameters>
<actions><action name="off"/><action name="status" /></actions></resource-agent>`;

const CONFIG = `node: a
database: /d/sm.db
notifications: { directory: /n, limitMs: 500, barrier: web oam }
api:
  address: "fd00::1"
  tls: { certificate: /c.pem, key: /k.pem }
log: { level: trace, file: /f }
`;

const LIFE = 'ab'.repeat(16);
const STAMP = { kernelLife: LIFE, nonce: 'n1', permissionMs: 800, stopBoundMs: 300 };
const RECORDS = [
  recordText({ number: 3, leader: 'a', mode: 'leased', groups: [], nonce: 'n', register: 'r' }),
  stampText(STAMP),
  sectorText({
    ...STAMP,
    node: 'a',
    number: 1,
    mode: 'sole',
    claim: 0,
    holds: [{ group: 'g', activation: 2 }],
  }),
];

/** Cells as they should not be, in every column of every table. */
function hostileRows(): fc.Arbitrary<RawRows> {
  const cell = fc.oneof(
    fc.constantFrom<string | number | null>(
      '',
      'yes',
      'no',
      'controller-0',
      'controller',
      'a',
      'N + M',
      null,
      0,
      1,
      -1,
      1e308,
      0.5,
    ),
    fc.constantFrom(
      'enable',
      'audit-enabled',
      'lsb-script',
      'enabled-active',
      'action',
      'default',
      '10.0.0.1',
      'fe80::1%',
    ),
    fc.string({ maxLength: 40 }),
  );
  const rowOf = (columns: readonly string[]) =>
    fc.record(Object.fromEntries(columns.map((name) => [name, cell])), { requiredKeys: [] });
  const tables = DEFINITION_TABLES.map(({ name, columns }) =>
    fc
      .array(rowOf(columns.map((column) => column.name)), { maxLength: 4 })
      .map((rows) => [name, rows.map((columns, index) => ({ rowid: index + 1, columns }))] as const),
  );
  return fc.tuple(...tables).map((entries) => new Map(entries) as unknown as RawRows);
}

export const TARGETS: readonly Target[] = [
  target(
    'frames',
    () => mutatedBytes(frame.map(encodeFrame)),
    (bytes) => {
      const decoded = decodeFrame(bytes);
      if (!decoded.ok) return;
      const again = encodeFrame(decoded.frame);
      expect(Buffer.compare(again, bytes.subarray(0, decoded.signedLength))).toBe(0);
    },
  ),
  target(
    'admission of datagrams',
    () => fc.array(mutatedBytes(frame.map(encodeFrame)), { maxLength: 4 }),
    (datagrams) => {
      const replay = new ReplayGuard();
      for (const datagram of datagrams) admit(datagram, EXPECTED, () => 'unknown-key', replay);
    },
  ),
  target(
    'reports',
    () =>
      fc.tuple(
        mutatedBytes(
          fc
            .tuple(report, fc.option(fc.nat()))
            .map(([value, shotsMs]) => wholeReport(shotsMs === null ? value : { ...value, shotsMs })),
        ),
        fc.constantFrom(1, 2),
      ),
    ([bytes, version]) => {
      const decoded = decodeReport(bytes, version);
      if (decoded.ok) expect(decodeReport(wholeReport(decoded.report), version)).toEqual(decoded);
    },
  ),
  target(
    'parts of reports',
    () =>
      fc.array(
        fc.record({
          life: fc.constantFrom(LIFE, NO_LIFE),
          version: fc.integer({ min: -1, max: 4 }),
          part: fc.integer({ min: -1, max: 66 }),
          parts: fc.integer({ min: -1, max: 66 }),
          body: fc.uint8Array({ maxLength: 8 }),
        }),
      ),
    (parts) => {
      const assembler = new ReportAssembler();
      for (const part of parts) assembler.add(part);
    },
  ),
  target(
    'requests on the control socket',
    () =>
      hostileText(
        [
          '{"id":1,"method":"command","params":{"command":{"kind":"swact","node":"a"}}}',
          '{"id":"x","method":"view"}',
        ],
        ['{', '[', '"', '\\', '{"id":', ':', ','],
      ),
    (line) => {
      const parsed = parseRequest(line);
      if (!parsed.ok) expect(parsed.message).not.toBe('');
    },
  ),
  target(
    'commands',
    () =>
      hostileJson([
        'kind',
        'node',
        'group',
        'service',
        'why',
        'forMs',
        'swact',
        'lock',
        'restart',
        'actor',
        'name',
        'links',
        'add',
        'remove',
      ]),
    (value) => {
      parseCommand(value);
      const params = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
      parseActor(params);
      parseWhy(params);
      parseNodeChange(params);
    },
  ),
  target(
    'lines of a stream',
    () => fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }),
    (chunks) => {
      const splitter = new LineSplitter(64);
      for (const chunk of chunks) {
        const lines = splitter.push(Buffer.from(chunk));
        if (lines === null) return;
        for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(3 * 64);
      }
    },
  ),
  target(
    'the pipe between sm and sm-watchdog',
    () =>
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 30 }),
          hostileJson(['type', 'life']).map((value) => Buffer.from(`${JSON.stringify(value)}\n`)),
        ),
        { maxLength: 8 },
      ),
    (chunks) => {
      const stream = new PassThrough();
      const seen: unknown[] = [];
      const channel = new Channel(stream, { message: (message) => seen.push(message), closed: () => {} });
      // Read at once, in this turn: what throws here would end the process.
      for (const chunk of chunks) stream.emit('data', Buffer.from(chunk));
      for (const message of seen) expect(typeof message).toBe('object');
      channel.close('done');
      stream.destroy();
    },
  ),
  target(
    'meta-data of agents',
    () =>
      hostileText(
        [METADATA],
        ['<!--', '-->', '<parameter ', 'name="', '"', '>', '<resource-agent ', '<action', "='", ' '],
      ),
    (text) => {
      readMetadata(`<resource-agent ${text}`);
      readMetadata(text);
    },
  ),
  target(
    'parameters of services',
    () => hostileText(['a=b,c=d,e', 'pidfile=/run/x.pid,journal=/j'], ['=', ',', 'a', '\0'], 2000),
    (text) => {
      const parsed = parseParameters(text);
      if (parsed.ok) for (const [, value] of parsed.entries) expect(value).not.toContain('=');
    },
  ),
  target(
    'addresses',
    () =>
      hostileText(
        ['192.0.2.1', 'fe80::1%eth0', '2001:db8::1', '::ffff:10.0.0.1'],
        [':', '::', '.', '%', '1', 'f'],
        4000,
      ),
    (text) => void parseAddress(text),
  ),
  target(
    'rows of definitions',
    hostileRows,
    (rows) => {
      const { problems } = buildDefinitions(rows);
      for (const { sentence } of problems) expect(sentence).not.toBe('');
    },
    0.2,
  ),
  target(
    'files of definitions',
    () =>
      hostileText(
        ["INSERT INTO A (B) VALUES ('x;y'); -- c\n/* d */ DELETE FROM A;"],
        ["'", '"', '--', '/*', '*/', ';', '\n', '`', '['],
      ),
    (text) => void splitStatements(text),
  ),
  target(
    'sm.yaml',
    () => hostileText([CONFIG], ['- ', ': ', '{', '[', '&a ', '*a ', '"', '\n', ' ', '!!', '|'], 1500),
    (text) => {
      const parsed = parseConfig(text, 'host');
      if (!parsed.ok) expect(parsed.faults.length).toBeGreaterThan(0);
    },
    0.3,
  ),
  target(
    'records, stamps and sectors of arbiters',
    () =>
      fc.oneof(
        hostileText(RECORDS, ['{', '[', '"', '"groups":', ',']),
        hostileJson([
          'version',
          'readableBy',
          'number',
          'groups',
          'holds',
          'mode',
          'leased',
          'node',
          'nonce',
          'kernelLife',
        ]).map((value) => JSON.stringify(value)),
      ),
    (text) => {
      for (const read of [readRecord, readStamp, readSector]) {
        const found = read(text);
        if (!found.ok) expect(found.reason).not.toBe('');
      }
    },
  ),
  target(
    'pid files and /proc',
    () =>
      hostileText(
        ['1234\n', '1 (a b) S 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 5 1 1'],
        [' ', '(', ')', '1', '\n'],
        4000,
      ),
    (text) => {
      parsePidFile(text, [0]);
      parseStat(text);
    },
  ),
  target(
    'the history',
    () => hostileText(['enable success after 12 ms <- x'], ['enable', '-', ' success after ', '1', ' ms']),
    (reason) => void scriptTimes([{ entity: 'service', name: 'a', reason }]),
  ),
  target(
    'texts that leave the machine',
    () =>
      hostileText(
        ['password=x, --token y https://a:b@c bearer abcdefgh12 -----BEGIN PRIVATE KEY-----'],
        [
          'password',
          '=',
          '"',
          "'",
          '://',
          'mysql ',
          '{',
          'Authorization: ',
          'a',
          '.',
          '\\',
          '-',
          ':',
          '@',
          '-----BEGIN A PRIVATE KEY-----',
          '[',
        ],
      ),
    (text) => {
      const secrets = new Secrets();
      secrets.add('hunter2-hunter2');
      expect(secrets.clean(`${text} hunter2-hunter2`)).not.toContain('hunter2-hunter2');
    },
  ),
  target(
    'traces',
    () =>
      mutatedBytes(fc.constant(Buffer.from(textOf(recordLife().lines.slice(0, 12))))).map((bytes) =>
        Buffer.from(bytes).toString('utf8'),
      ),
    (text) => {
      expect(replayLife([{ name: 'a', text }]).turns).toBeGreaterThanOrEqual(0);
    },
    0.3,
  ),
  ...ARBITER_TARGETS,
  ...STORED_TARGETS,
];
