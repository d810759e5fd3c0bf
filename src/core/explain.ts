/**
 * "Why is it so, what does it wait for, and what would end it?", answered in sentences from a view of the engine. Pure;
 * the tools print it, the API serves it. The nearest cause comes first, what an operator can do about it last.
 */
import type { EngineView, LinkView } from './view.ts';

export const EXPLAINED = ['service', 'group', 'node', 'daemon'] as const;
export type Explained = (typeof EXPLAINED)[number];

/** Members and groups that one answer names; the rest is counted. */
const NAMED_MAX = 5;

/**
 * @param name of the service, group or node; not used for `daemon`.
 * @param wallMs wall-clock time of the view, for locks that end by themselves.
 * @returns sentences, nearest cause first; none when the view knows nothing of that name.
 */
export function explain(view: EngineView, kind: Explained, name: string, wallMs: number): string[] {
  switch (kind) {
    case 'service':
      return explainService(view, name, wallMs);
    case 'group':
      return explainGroup(view, name, wallMs);
    case 'node':
      return explainNode(view, name, wallMs);
    case 'daemon':
      return explainDaemon(view);
  }
}

/** A duration as an operator says it: `80 ms`, `3.2 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const pair = (unitMs: number, unit: string, partMs: number, part: string): string => {
    const parts = Math.round(ms / partMs);
    const whole = Math.floor(parts / (unitMs / partMs));
    const rest = parts % (unitMs / partMs);
    return rest === 0 ? `${whole} ${unit}` : `${whole} ${unit} ${rest} ${part}`;
  };
  if (ms < 3_600_000) return pair(60_000, 'min', 1000, 's');
  if (ms < 86_400_000) return pair(3_600_000, 'h', 60_000, 'min');
  return pair(86_400_000, 'd', 3_600_000, 'h');
}

/** What this node may do, in words. */
export function permissionInWords(view: EngineView): string {
  const { deadline, lost, reason } = view.permission;
  if (lost) return `lost: ${reason}`;
  const because = reason === '' ? '' : ` (${reason})`;
  if (deadline === Number.POSITIVE_INFINITY) return `held, does not run out${because}`;
  const left = deadline - view.now;
  return left > 0 ? `held, renewed for the next ${duration(left)}${because}` : `not held${because}`;
}

/** What is done about a silent peer, in words. */
export function policyInWords(policy: string): string {
  if (policy === 'takeover')
    return 'takeover: a silent peer is replaced after the dead interval, when our own links are up';
  if (policy === 'stay')
    return 'stay: a silent peer is replaced only on proof of its death or on its own word';
  if (policy === 'record')
    return 'record: a silent peer is replaced when the record in the arbiter says so, or on proof of its death';
  if (policy === 'fence') return 'fence: a silent peer is replaced when it is proven to be off';
  return policy;
}

/** Names begin sentences as they are written: they are case-sensitive. */
function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' || /[.!?:]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** Where it is wanted. A service that can only be active or disabled is disabled in standby. */
export function isSettled(service: EngineView['services'][number]): boolean {
  if (service.running !== null || service.wait !== null) return false;
  return (
    service.state === service.desired ||
    (service.desired === 'enabled-standby' && service.state === 'disabled')
  );
}

/** The waits of one thing, longest first. */
function waits(view: EngineView, entity: string, name: string): string[] {
  return view.waits
    .filter((wait) => wait.entity === entity && wait.name === name)
    .sort((a, b) => a.since - b.since)
    .map((wait) => waitInWords(wait, view.now));
}

/** One wait: reason, since when, how much longer. */
export function waitInWords(
  wait: { readonly reason: string; readonly since: number; readonly until: number | null },
  now: number,
): string {
  const since = `It has waited ${duration(now - wait.since)}: ${wait.reason}`;
  if (wait.until === null) return `${since}; there is no limit, a change outside ends it.`;
  const left = wait.until - now;
  return left > 0 ? `${since}; at most ${duration(left)} more.` : `${since}; the limit is reached now.`;
}

/* Services */

function explainService(view: EngineView, name: string, wallMs: number): string[] {
  const service = view.services.find((candidate) => candidate.name === name);
  if (service === undefined) return [];
  const status = service.status === '' ? '' : `, ${service.status}`;
  const lines = [
    isSettled(service) || service.state === service.desired
      ? `${name} is ${service.state}${status}, as wanted on ${view.node}.`
      : `${name} is ${service.state}${status}; ${service.desired} is wanted on ${view.node}.`,
  ];
  lines.push(...aloneInWords(view, name, wallMs));
  if (service.running !== null) lines.push(`Its script runs "${service.running}" now; its end decides.`);
  if (service.wait !== null) lines.push(waitInWords(service.wait, view.now));
  else lines.push(...waits(view, 'service', name));
  if (service.reason !== '') lines.push(sentence(`Last cause: ${service.reason}`));
  if (service.failCount > 0)
    lines.push(`It has failed ${service.failCount === 1 ? 'once' : `${service.failCount} times`} lately.`);
  lines.push(...failureInWords(service.condition, service.group));
  if (service.state !== service.desired || service.desired !== 'enabled-active')
    lines.push(...groupBehind(view, service.group));
  return lines;
}

/** Who left it alone and why, and what ends that. */
function aloneInWords(view: EngineView, name: string, wallMs: number): string[] {
  const alone = view.alone.find(({ service }) => service === name);
  if (alone === undefined) return [];
  const { reason, until } = alone;
  const ends = until === 0 ? '' : `; that ends by itself in ${duration(until - wallMs)}`;
  return [
    `It is left alone by order of an operator (${reason})${ends}: "smctl manage ${name}" takes it up again.`,
  ];
}

/** What a condition means, and what ends it. */
function failureInWords(condition: string, group: string): string[] {
  const recover = `"smctl recover ${group}" tries again`;
  switch (condition) {
    case '':
      return [];
    case 'recovery-failure':
      return [`It failed again and again after recoveries, so it is left failed; ${recover}.`];
    case 'action-failure':
      return [`Its script failed as often as MAX_ACTION_FAILURES allows; repair the cause, then ${recover}.`];
    case 'fatal-failure':
      return [`It failed for good (${condition}); repair the cause, then ${recover}.`];
    default:
      return [`Its condition is ${condition}.`];
  }
}

/** Why the group of a service is wanted as it is. */
function groupBehind(view: EngineView, name: string): string[] {
  const group = view.groups.find((candidate) => candidate.name === name);
  if (group === undefined) return [];
  const placement = view.placements.find((row) => row.group === name && row.node === view.node);
  const why = placement?.reasons[0] ?? group.reason;
  return [`Its group ${name} is wanted ${group.desired} on ${view.node}${why === '' ? '' : `: ${why}`}.`];
}

/* Groups */

function explainGroup(view: EngineView, name: string, wallMs: number): string[] {
  const group = view.groups.find((candidate) => candidate.name === name);
  if (group === undefined) return [];
  const settled = group.state === group.desired;
  const status = group.status === '' ? '' : `, ${group.status}`;
  const lines = [
    settled
      ? `${name} is ${group.state}${status} on ${view.node}, as wanted.`
      : `${name} is ${group.state}${status} on ${view.node}; ${group.desired} is wanted.`,
  ];
  lines.push(...waits(view, 'group', name));
  if (group.reason !== '') lines.push(sentence(`Last cause: ${group.reason}`));
  lines.push(...membersBehind(view, name));
  lines.push(...failureInWords(group.condition, name));
  if (view.permission.lost && group.state !== 'active')
    lines.push(`Permission on ${view.node} is ${permissionInWords(view)}.`);
  for (const placement of view.placements.filter((row) => row.group === name))
    for (const [index, reason] of placement.reasons.entries())
      lines.push(
        index === 0
          ? `${placement.wanted} is chosen for ${placement.node}: ${reason}.`
          : `  because ${reason}.`,
      );
  lines.push(...elsewhere(view, name));
  for (const node of view.nodes.filter((row) => row.administrative === 'locked'))
    lines.push(lockInWords(node, wallMs));
  lines.push(...operations(view, (operation) => operation.group === '' || operation.group === name));
  return lines;
}

/** Members that are not where they should be: they are why a group is not. */
function membersBehind(view: EngineView, group: string): string[] {
  const behind = view.services.filter(
    (service) => service.group === group && (!isSettled(service) || service.status !== ''),
  );
  const lines = behind.slice(0, NAMED_MAX).map((service) => {
    const status = service.status === '' ? '' : `, ${service.status}`;
    const settled = isSettled(service) || service.state === service.desired;
    const wanted = settled ? '' : ` (${service.desired} is wanted)`;
    const why = service.wait?.reason ?? service.reason;
    return `Its service ${service.name} is ${service.state}${status}${wanted}${why === '' ? '' : `: ${why}`}.`;
  });
  if (behind.length > NAMED_MAX) lines.push(`So are ${behind.length - NAMED_MAX} more of its services.`);
  return lines;
}

/** Where the group is on the other node, and under which number it is active. */
function elsewhere(view: EngineView, group: string): string[] {
  const lines = view.assignments
    .filter((row) => row.group === group && row.node !== view.node)
    .map((row) => {
      const state = `${row.state}${row.status === '' ? '' : `, ${row.status}`}`;
      return isOutOfDate(view, row.node)
        ? `On ${row.node} it was ${state} when that was heard last.`
        : `On ${row.node} it is ${state}.`;
    });
  const numbers = view.numbers.find((row) => row.group === group);
  if (numbers !== undefined && numbers.holder !== '')
    lines.push(`${numbers.holder} holds it under activation number ${numbers.holderActivation}.`);
  return lines;
}

/** What was heard of that node is not its present state: it is silent, or has not told of itself since it is back. */
export function isOutOfDate({ peer }: EngineView, node: string): boolean {
  return peer !== null && peer.name === node && !peer.exchanged;
}

/* Nodes */

function explainNode(view: EngineView, name: string, wallMs: number): string[] {
  const node = view.nodes.find((candidate) => candidate.name === name);
  if (node === undefined && name !== view.node && view.peer?.name !== name) return [];
  const lines: string[] = [];
  if (node !== undefined) {
    const availability = node.availability === '' ? '' : `-${node.availability}`;
    const state = `${node.administrative}-${node.operational}${availability}`;
    lines.push(
      isOutOfDate(view, name)
        ? `${name} was ${state} when it was heard last; its readiness was ${node.ready}.`
        : `${name} is ${state}; its readiness is ${node.ready}.`,
    );
    if (node.administrative === 'locked') lines.push(lockInWords(node, wallMs));
  }
  lines.push(...waits(view, 'node', name));
  lines.push(...(name === view.node ? own(view) : peer(view)));
  lines.push(...operations(view, (operation) => operation.node === name));
  return lines;
}

function lockInWords(
  node: { readonly name: string; readonly lockedUntil: number; readonly lockReason: string },
  wallMs: number,
): string {
  const why = node.lockReason === '' ? '' : ` (${node.lockReason})`;
  if (node.lockedUntil === 0) return `${node.name} is locked${why} until "smctl unlock ${node.name}".`;
  const left = node.lockedUntil - wallMs;
  return left > 0
    ? `${node.name} is locked${why}; the lock ends by itself in ${duration(left)}.`
    : `${node.name} is locked${why}; the lock ends now.`;
}

/** What this node may do, and who says so. */
function own(view: EngineView): string[] {
  const { domain } = view;
  const lines = [`Permission is ${permissionInWords(view)}.`];
  if (domain.leader === '') lines.push(`Domain ${domain.name} has no leader yet; it is ${domain.state}.`);
  else if (domain.leader === view.node)
    lines.push(`It leads domain ${domain.name} under number ${domain.number}.`);
  else
    lines.push(
      `${domain.leader} leads domain ${domain.name} under number ${domain.number}; this node follows.`,
    );
  lines.push(...waits(view, 'domain', domain.name));
  if (!domain.settled)
    lines.push('It has neither led nor exchanged with a settled peer since its kernel started.');
  lines.push(...links(view.links));
  lines.push(...peer(view));
  return lines;
}

function links(all: readonly LinkView[]): string[] {
  return all
    .filter((link) => !link.up || !link.heard)
    .map((link) => {
      const state = link.up ? 'up, but the peer is not heard on it' : 'down';
      return `Its link ${link.role} is ${state}${link.reason === '' ? '' : `: ${link.reason}`}.`;
    });
}

/** What this node knows of the other one. */
function peer(view: EngineView): string[] {
  const other = view.peer;
  if (other === null) return ['It has no peer.'];
  const lines: string[] = [];
  if (!other.heard) {
    const since =
      other.silentSince === null
        ? 'has not been heard since this node started'
        : `has been silent for ${duration(view.now - other.silentSince)}`;
    lines.push(`${other.name} ${since}; the policy is ${policyInWords(view.domain.policy)}.`);
  } else {
    lines.push(`${other.name} is heard${other.exchanged ? '' : ', but the two have not exchanged yet'}.`);
  }
  if (other.leaving) lines.push(`${other.name} said that it stops in order.`);
  if (other.managerDownMs > 0)
    lines.push(
      `sm on ${other.name} has been away for ${duration(other.managerDownMs)}; its services go on without it.`,
    );
  return lines;
}

/* The daemon */

function explainDaemon(view: EngineView): string[] {
  const { domain } = view;
  const lines = [
    `sm on ${view.node} runs domain ${domain.name} with definitions ${view.definitionDigest.slice(0, 12)}.`,
    ...own(view),
  ];
  for (const wait of view.waits.filter((candidate) => candidate.entity === 'operation'))
    lines.push(`${wait.name}: ${waitInWords(wait, view.now)}`);
  const running = view.services.filter((service) => service.running !== null);
  if (running.length > 0)
    lines.push(
      `Scripts run for ${running.length === 1 ? 'one service' : `${running.length} services`}: ${running
        .slice(0, NAMED_MAX)
        .map((service) => `${service.name} (${service.running})`)
        .join(', ')}${running.length > NAMED_MAX ? ', ...' : ''}.`,
    );
  lines.push(...operations(view, () => true));
  for (const alarm of view.alarms)
    lines.push(
      sentence(
        `${alarm.severity} alarm ${alarm.id} on ${alarm.entity}: ${sentence(alarm.reason)} To end it: ${alarm.repair}`,
      ),
    );
  return lines;
}

const ENDED = ['done', 'failed-back', 'timed-out', 'refused'];

/** An operation in this step changes no more. */
export function hasEnded(step: string): boolean {
  return ENDED.includes(step);
}

function operations(
  view: EngineView,
  concerns: (operation: EngineView['operations'][number]) => boolean,
): string[] {
  return view.operations
    .filter((operation) => !hasEnded(operation.step) && concerns(operation))
    .map((operation) => {
      const why = operation.why === '' ? '' : ` (${operation.why})`;
      const group = operation.group === '' ? '' : ` of ${operation.group}`;
      return `${operation.actor} asked for a ${operation.kind} of ${operation.node}${group}${why}; it is ${operation.step}.`;
    });
}
