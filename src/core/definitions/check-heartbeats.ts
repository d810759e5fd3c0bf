/**
 * SERVICE_HEARTBEAT: what a service is asked, where, how often, and what its silence means. A row that can not be used is
 * named and left out; its service runs without. Pure.
 */
import type { CheckedRow, Draft } from './draft.ts';
import type { HeartbeatDefinition } from './model.ts';

const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 3_600_000;
const LOOPBACK = ['', '127.0.0.1', '::1'];

/** By service; of provisioned rows only. */
export function heartbeatsOf(draft: Draft): ReadonlyMap<string, HeartbeatDefinition> {
  const heartbeats = new Map<string, HeartbeatDefinition>();
  const services = draft.names('SERVICES', 'NAME');
  for (const row of draft.rows('SERVICE_HEARTBEAT')) {
    if (!row.provisioned) continue;
    const fault = services.has(row.text('NAME'))
      ? faultOf(row)
      : `SERVICES has no service ${row.text('NAME')}`;
    if (fault === null) heartbeats.set(row.text('NAME'), definitionOf(row));
    else draft.problems.error('bad-heartbeat', row.table, row.raw, `${fault}; it is not used`);
  }
  return heartbeats;
}

function faultOf(row: CheckedRow): string | null {
  const ports = [row.number('SRC_PORT'), row.number('DST_PORT')];
  const interval = row.number('INTERVAL_IN_MS');
  const limits = ['MISSED_WARN', 'MISSED_DEGRADE', 'MISSED_FAIL'].map((each) => row.number(each));
  const set = limits.filter((limit) => limit > 0);
  const addresses = [row.text('SRC_ADDRESS'), row.text('DST_ADDRESS')];
  if (row.text('TYPE') !== 'udp') return 'TYPE must be udp: datagrams over UNIX sockets are not supported';
  if (ports.includes(0)) return 'SRC_PORT (that of sm) and DST_PORT (that of the service) must be set';
  if (!addresses.every((each) => LOOPBACK.includes(each)))
    return 'SRC_ADDRESS and DST_ADDRESS must be empty, 127.0.0.1 or ::1: who is not on this node is not listened to';
  if (isV6(addresses[0]) !== isV6(addresses[1])) return 'SRC_ADDRESS and DST_ADDRESS must be of one family';
  if (ports[0] === ports[1]) return 'SRC_PORT and DST_PORT must differ: both are on this node';
  if (interval < INTERVAL_MS_MIN || interval > INTERVAL_MS_MAX)
    return `INTERVAL_IN_MS must be from ${INTERVAL_MS_MIN} to ${INTERVAL_MS_MAX} ms`;
  if (set.length === 0) return 'one of MISSED_WARN, MISSED_DEGRADE and MISSED_FAIL must be more than 0';
  if (set.some((limit, index) => index > 0 && limit < (set[index - 1] ?? 0)))
    return 'MISSED_WARN, MISSED_DEGRADE and MISSED_FAIL must not fall (0 = off)';
  return null;
}

function isV6(address: string | undefined): boolean {
  return address === '::1';
}

function definitionOf(row: CheckedRow): HeartbeatDefinition {
  return {
    address: isV6(row.text('DST_ADDRESS')) ? '::1' : '127.0.0.1',
    port: row.number('SRC_PORT'),
    servicePort: row.number('DST_PORT'),
    message: row.text('MESSAGE'),
    intervalMs: row.number('INTERVAL_IN_MS'),
    missedWarn: row.number('MISSED_WARN'),
    missedDegrade: row.number('MISSED_DEGRADE'),
    missedFail: row.number('MISSED_FAIL'),
  };
}
