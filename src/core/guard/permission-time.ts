import type { DomainDefinition } from '../definitions/model.ts';

/** Part of an announced sum that a clock 10 % fast against the other one can not use up (docs/SAFETY.md, rule 13). */
const CLOCK_MARGIN = 0.9;
const FIXED_MARGIN_MS = 20;

/**
 * How long a node may act after the last frame that it sent on an up link of L, where the peer may replace it by time
 * (policy `takeover`): 0.9 (d + S) - S - link_down_detect - 20 ms. Source: docs/SAFETY.md, rule 14d.
 */
export function permissionAfterSendMs(
  domain: Pick<DomainDefinition, 'deadIntervalMs' | 'stopBoundMs' | 'linkDownDetectMs'>,
): number {
  const { deadIntervalMs, stopBoundMs, linkDownDetectMs } = domain;
  return CLOCK_MARGIN * (deadIntervalMs + stopBoundMs) - stopBoundMs - linkDownDetectMs - FIXED_MARGIN_MS;
}

/** Below this a single lost hello of our own would end permission: refused at load. */
export function permissionAfterSendMinMs(domain: Pick<DomainDefinition, 'helloIntervalMs'>): number {
  return 2 * domain.helloIntervalMs + 50;
}
