/**
 * The sums that hold a domain together, each with its numbers, as `smctl check` prints them: what has to be true of them is
 * refused at load where it is not; the others say how long something takes (docs/SAFETY.md, rules 13, 14, 16).
 */
import { fencingLimitMs } from '../arbiter/fence.ts';
import { levelsOf } from '../arbiter/fence-audits.ts';
import { fenceWaitMs } from '../arbiter/fence-rules.ts';
import { marginMs, quietMs } from '../arbiter/quiet.ts';
import { regimeOf } from '../arbiter/regime.ts';
import { shotsMs } from '../arbiter/shot-window.ts';
import { GATEWAY_MISSES } from '../guard/gateways.ts';
import { permissionAfterSendMinMs, permissionAfterSendMs } from '../guard/permission-time.ts';
import type { ArbiterDefinitions } from './arbiter-model.ts';
import type { DefinitionSet, DomainDefinition } from './model.ts';

export function timingSums(set: DefinitionSet): readonly string[] {
  const { domain, arbiters, nodes } = set;
  const lines = [...silenceSums(domain)];
  const regime = regimeOf(set);
  if (regime === 'simplex') return lines;
  if (regime === 'takeover') lines.push(...takeoverSums(domain));
  if (regime === 'stay') lines.push('timing stay: a silent peer is not replaced by time');
  return arbiters === undefined
    ? lines
    : [...lines, ...arbiterSums(domain, arbiters, nodes, regime === 'takeover')];
}

const holds = (is: boolean): string => (is ? 'holds' : 'DOES NOT HOLD');

function silenceSums(domain: DomainDefinition): string[] {
  const { helloIntervalMs, deadIntervalMs, stopBoundMs, stopGraceMs, killVerifyMs } = domain;
  const fenceMs = stopBoundMs - stopGraceMs - killVerifyMs;
  return [
    `timing silence: DEAD_INTERVAL ${deadIntervalMs} >= 3 x HELLO_INTERVAL ${helloIntervalMs} = ${3 * helloIntervalMs} ms: ${holds(deadIntervalMs >= 3 * helloIntervalMs)}`,
    `timing stop: S ${stopBoundMs} = STOP_GRACE ${stopGraceMs} + KILL_VERIFY ${killVerifyMs} + ${fenceMs} ms for the self-fence, more than 0: ${holds(fenceMs > 0)}`,
  ];
}

function takeoverSums(domain: DomainDefinition): string[] {
  const { deadIntervalMs, stopBoundMs, linkDownDetectMs } = domain;
  const left = Math.floor(permissionAfterSendMs(domain));
  const least = permissionAfterSendMinMs(domain);
  return [
    `timing takeover: a node acts 0.9 x (d ${deadIntervalMs} + S ${stopBoundMs}) - S ${stopBoundMs} - LINK_DOWN_DETECT ${linkDownDetectMs} - 20 = ${left} ms after its last frame on an up link, at least 2 x HELLO_INTERVAL + 50 = ${least} ms: ${holds(left >= least)}`,
    `timing takeover: the peer is replaced after d ${deadIntervalMs} + S ${stopBoundMs} = ${deadIntervalMs + stopBoundMs} ms of silence`,
  ];
}

function arbiterSums(
  domain: DomainDefinition,
  arbiters: ArbiterDefinitions,
  nodes: readonly string[],
  byLinks: boolean,
): string[] {
  const { deadIntervalMs, stopBoundMs } = domain;
  const { etcd, disk, fencing, gateways } = arbiters;
  const margin = Math.round(marginMs(deadIntervalMs, stopBoundMs));
  const whole = Math.round(quietMs(deadIntervalMs, stopBoundMs));
  const sum = `P ${deadIntervalMs} + S ${stopBoundMs} + m ${margin} = ${whole} ms`;
  const lines: string[] = [];
  if (etcd !== null)
    lines.push(
      renewal('etcd', etcd, deadIntervalMs),
      `timing etcd: the peer is replaced after ${sum} of quiet`,
    );
  if (disk !== null) {
    const { requestLimitMs: limit } = disk;
    lines.push(
      renewal('disk', disk, deadIntervalMs),
      `timing disk: a claim after ${sum} of quiet, then ${limit} + ${whole} = ${limit + whole} ms more`,
    );
  }
  lines.push(...fenceSums(domain, fencing, nodes));
  for (const { role, pingIntervalMs, pingLimitMs } of gateways) {
    const needs = GATEWAY_MISSES * (pingIntervalMs + pingLimitMs);
    const line = `timing gateway ${role}: a node that is cut off there knows it after ${GATEWAY_MISSES} x (PING_INTERVAL ${pingIntervalMs} + PING_LIMIT ${pingLimitMs}) = ${needs} ms`;
    const left = Math.floor(permissionAfterSendMs(domain));
    lines.push(
      byLinks
        ? `${line}, and acts for ${left} ms: ${needs <= left ? 'in time, it stops before the peer acts' : 'too late for that, the gateway is there for its alarm'}`
        : line,
    );
  }
  return lines;
}

function renewal(
  name: string,
  { stampIntervalMs, requestLimitMs }: { readonly stampIntervalMs: number; readonly requestLimitMs: number },
  permissionMs: number,
): string {
  const needs = stampIntervalMs + 2 * requestLimitMs;
  return `timing ${name}: STAMP_INTERVAL ${stampIntervalMs} + 2 x REQUEST_LIMIT ${requestLimitMs} = ${needs} < P ${permissionMs} ms: ${holds(needs < permissionMs)}`;
}

/** The wait is printed where both can shoot: that of the side with less to lose, as long as nothing was measured. */
function fenceSums(
  { deadIntervalMs }: DomainDefinition,
  { devices, verifyGapMs: gapMs, delayMs }: ArbiterDefinitions['fencing'],
  nodes: readonly string[],
): string[] {
  const lines = devices.map((device) => {
    const limitMs = fencingLimitMs({ levels: [[device]], gapMs });
    return `timing fence ${device.name}: ${device.node} is proven off within ${limitMs} ms, or not by it`;
  });
  const fenced = nodes.map((node) => ({ node, levels: levelsOf(devices, node) }));
  if (fenced.length < 2 || fenced.some(({ levels }) => levels.length === 0)) return lines;
  for (const { node, levels } of fenced) {
    const waitMs = fenceWaitMs(delayMs, shotsMs(levels, gapMs, []), deadIntervalMs);
    lines.push(
      `timing fence: where both can shoot and ${node} has less to lose, it shoots after ${waitMs} ms at most; after less where audits and fencings were quicker than the limits`,
    );
  }
  return lines;
}
