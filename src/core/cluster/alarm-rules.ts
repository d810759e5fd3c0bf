/**
 * Which alarms the facts call for. Ids are StarlingX's where it names the same trouble (400.001 state of a group, 400.002
 * redundancy, 400.005 communication); the others are words. Source: docs/reference/alarms.md.
 */
import type { Regime } from '../arbiter/regime.ts';
import type { GroupDefinition } from '../definitions/model.ts';
import type { Status } from '../kernel/names.ts';
import { hasFailed } from '../plan/plan.ts';
import type { ArbiterView, LinkView } from '../view.ts';
import type { Alarm } from './alarms.ts';
import {
  cannotBeFenced,
  gatewayUnreachable,
  noThirdVote,
  notReplaced,
  pausedVirtualMachine,
} from './arbiter-alarms.ts';
import { type ClusterContext, groupOn } from './context.ts';
import { RETRY_MS } from './escalation.ts';

/** Starts, swacts and take-overs pass through worse states than they end in. */
const TRANSITION_PATIENCE_MS = 3000;
const LINK_PATIENCE_MS = 2000;
const RETRY_MINUTES = Math.max(...RETRY_MS) / 60_000;

export interface AlarmFacts {
  readonly context: ClusterContext;
  /** Made once (`standingAlarms`). */
  readonly standing: readonly Alarm[];
  readonly links: Iterable<LinkView>;
  /** Process life of another machine that uses our name; '' = none. */
  readonly duplicate: string;
  /** Why commits fail; '' = they do not. */
  readonly storeFailed: string;
  /** Why this node is not ready; '' = it is. */
  readonly notReady: string;
  readonly arbiter: ArbiterView;
  /** Groups for which this node should end itself, and why it does not. */
  readonly rebootsWithheld: Iterable<{ readonly group: string; readonly reason: string }>;
}

type Rule = (facts: AlarmFacts) => Iterable<Alarm>;

export function calledFor(facts: AlarmFacts): Alarm[] {
  const called = [...facts.standing];
  for (const rule of RULES) called.push(...rule(facts));
  return called;
}

/** What the definitions and the kind of machine alone call for. They do not change while the engine lives. */
export function standingAlarms(
  context: ClusterContext,
  regime: Regime,
  virtualMachine: boolean,
): readonly Alarm[] {
  return [
    ...noArbiter(context, regime),
    ...(virtualMachine ? pausedVirtualMachine(context, regime) : []),
    ...unsignedInterfaces(context),
  ];
}

const SEVERITY: Readonly<Record<Exclude<Status, ''>, Alarm['severity']>> = {
  warn: 'minor',
  degraded: 'major',
  failed: 'critical',
};

const RULES: readonly Rule[] = [
  noThirdVote,
  cannotBeFenced,
  notReplaced,
  gatewayUnreachable,
  communication,
  groupStates,
  redundancy,
  failedEverywhere,
  rebootsWithheld,
  notReady,
  lockedNodes,
  definitionsDiffer,
  duplicateIdentity,
  storeFailing,
];

function* noArbiter({ definitions, peer }: ClusterContext, regime: Regime): Iterable<Alarm> {
  if (peer === null || regime === 'record' || regime === 'fence') return;
  const { silencePolicy, name } = definitions.domain;
  const other = silencePolicy === 'takeover' ? 'stay' : 'takeover';
  const reason =
    silencePolicy === 'takeover'
      ? 'no arbiter is configured: a silent peer is replaced after silence with our own links up, so a cut of all links in the middle lets both act'
      : 'no arbiter is configured: a silent peer is not replaced until its death is proven or it says so itself';
  const repair = `configure an arbiter, or set SM_DOMAIN_SAFETY.SILENCE_POLICY to ${other}`;
  yield { id: `no-arbiter-${silencePolicy}`, entity: name, severity: 'minor', reason, repair, patienceMs: 0 };
}

function* unsignedInterfaces({ definitions, me }: ClusterContext): Iterable<Alarm> {
  for (const { role, authType } of definitions.interfaces) {
    if (authType !== 'none') continue;
    yield {
      id: 'unsigned-interface',
      entity: network(me, role),
      severity: 'major',
      reason: `frames on ${role} are not signed: whoever reaches it can speak for the peer`,
      repair:
        'make a key with smctl key new, set AUTH_TYPE hmac-sha512 and AUTH_KEY on both nodes, ALLOW_UNSIGNED no',
      patienceMs: 0,
    };
  }
}

function* communication({ context: { me, peer }, links }: AlarmFacts): Iterable<Alarm> {
  if (peer === null) return;
  for (const { role, up, heard, reason } of links) {
    if (up && heard) continue;
    yield {
      id: '400.005',
      entity: network(me, role),
      severity: 'major',
      reason: `${peer.name} is not heard on ${role}: ${reason}`,
      repair: `check cable, switch and address of ${role} on both nodes, and that sm runs on ${peer.name}`,
      patienceMs: LINK_PATIENCE_MS,
    };
  }
}

function* groupStates({ context }: AlarmFacts): Iterable<Alarm> {
  const { definitions } = context;
  for (const node of definitions.nodes) {
    for (const { name } of definitions.groups.values()) {
      const group = groupOn(context, node, name);
      if (group === undefined || group.status === '') continue;
      yield {
        id: '400.001',
        entity: `service_domain=${definitions.domain.name}.service_group=${name}.host=${node}`,
        severity: SEVERITY[group.status],
        reason: `${name} is ${group.status} on ${node}: ${group.reason}`,
        repair: recovery(context, name, node),
        patienceMs: 0,
      };
    }
  }
}

/** Only a node itself knows what its services wait for. */
function recovery({ me }: ClusterContext, group: string, node: string): string {
  return node === me
    ? `smctl explain group ${group} tells the cause; mend it, then smctl recover ${group}`
    : `smctl explain group ${group} on ${node} tells the cause; mend it, then smctl recover ${group} --node ${node}`;
}

function* redundancy({ context }: AlarmFacts): Iterable<Alarm> {
  const { definitions } = context;
  for (const group of definitions.groups.values()) {
    const lack = lacking(context, group);
    if (lack === null) continue;
    const entity = `service_domain=${definitions.domain.name}.service_group=${group.name}`;
    const repair =
      'bring the other node back into service: smctl explain node on both shows what they wait for';
    yield { id: '400.002', entity, ...lack, repair, patienceMs: TRANSITION_PATIENCE_MS };
  }
}

function lacking(context: ClusterContext, group: GroupDefinition): Pick<Alarm, 'severity' | 'reason'> | null {
  const { definitions, nodes } = context;
  let active = 0;
  let standby = 0;
  for (const node of definitions.nodes) {
    const view = groupOn(context, node, group.name);
    if (view === undefined || view.status === 'failed' || nodes.find(node)?.administrative === 'locked')
      continue;
    if (view.state === 'active') active += 1;
    else if (view.state === 'standby') standby += 1;
  }
  // A domain of one node lacks nothing that it could have.
  const wanted = Math.min(group.nActive, definitions.nodes.length);
  const spare = Math.min(group.mStandby, definitions.nodes.length - wanted);
  if (active >= wanted && standby >= spare) return null;
  const doubt = doubtAbout(context, group);
  const count = `${active} of ${wanted} active, ${standby} of ${spare} standby${doubt}`;
  if (active === 0 && wanted > 0 && doubt === '')
    return { severity: 'critical', reason: `${group.name} is active nowhere: ${count}` };
  if (active === 0 && wanted > 0)
    return { severity: 'major', reason: `${group.name} is not known to be active: ${count}` };
  return { severity: 'major', reason: `${group.name} has lost its redundancy: ${count}` };
}

/**
 * What the peer runs may be unknown; '' = it is not. It says itself what, or that it leaves; a proof or a take-over has ended it;
 * and who holds the number of a group knows that nobody else acts for it.
 */
function doubtAbout(context: ClusterContext, { name, exclusive }: GroupDefinition): string {
  const { peer, numbers } = context;
  if (peer === null || groupOn(context, peer.name, name) !== undefined) return '';
  if (peer.leaving || peer.isReplaceable || (exclusive && numbers.of(name).held > 0)) return '';
  return ` here; what ${peer.name} runs is not known`;
}

/** The last rung: no node is left that the group could go to, so each tries again in place, and somebody has to come. */
function* failedEverywhere({ context }: AlarmFacts): Iterable<Alarm> {
  const { definitions } = context;
  for (const { name } of definitions.groups.values()) {
    const views = definitions.nodes.map((node) => groupOn(context, node, name));
    if (!views.every(hasFailed)) continue;
    yield {
      id: 'group-failed',
      entity: `service_domain=${definitions.domain.name}.service_group=${name}`,
      severity: 'critical',
      reason: `${name} has failed on every node: it is tried again in place, less and less often, at least every ${RETRY_MINUTES} minutes`,
      repair: `smctl explain group ${name} tells the cause; mend it, then smctl recover ${name} on the node that shall run it`,
      patienceMs: 0,
    };
  }
}

function* rebootsWithheld({ context: { me }, rebootsWithheld }: AlarmFacts): Iterable<Alarm> {
  for (const { group, reason } of rebootsWithheld) {
    yield {
      id: 'reboot-withheld',
      entity: `host=${me}.service_group=${group}`,
      severity: 'major',
      reason: `${group} has failed for good and asks for a reboot of ${me}, which does not do that now: ${reason}`,
      repair: `mend the cause, then smctl recover ${group} on ${me}; or swact what runs there away and reboot it`,
      patienceMs: 0,
    };
  }
}

function* notReady({ context: { me }, notReady }: AlarmFacts): Iterable<Alarm> {
  if (notReady === '') return;
  yield {
    id: 'node-not-ready',
    entity: `host=${me}`,
    severity: 'major',
    reason: `${me} is not ready and is given no groups: ${notReady}`,
    repair: `smctl explain node ${me}; it goes on by itself when the cause is gone`,
    patienceMs: TRANSITION_PATIENCE_MS,
  };
}

function* lockedNodes({ context: { definitions, nodes } }: AlarmFacts): Iterable<Alarm> {
  for (const name of definitions.nodes) {
    const node = nodes.find(name);
    if (node?.administrative !== 'locked') continue;
    const why = node.lockReason === '' ? '' : `: ${node.lockReason}`;
    const end = node.lockedUntil > 0 ? ' until its time is over' : '';
    yield {
      id: 'node-locked',
      entity: `host=${name}`,
      severity: 'minor',
      reason: `${name} is locked${end}${why}`,
      repair: `smctl unlock ${name}`,
      patienceMs: 0,
    };
  }
}

function* definitionsDiffer({ context: { definitions, peer } }: AlarmFacts): Iterable<Alarm> {
  if (peer?.exchanged !== true || peer.report?.definitionDigest === definitions.digest) return;
  yield {
    id: 'definitions-differ',
    entity: `host=${peer.name}`,
    severity: 'major',
    reason:
      'the two nodes run different definitions; groups that only one of them knows are run by that one alone',
    repair: 'compare with smctl check --json on both nodes and load the same set',
    patienceMs: 0,
  };
}

function* duplicateIdentity({ context: { me }, duplicate }: AlarmFacts): Iterable<Alarm> {
  if (duplicate === '') return;
  yield {
    id: 'duplicate-identity',
    entity: `host=${me}`,
    severity: 'critical',
    reason: `another machine sends signed frames under the name of this node (life ${duplicate.slice(0, 8)})`,
    repair: 'stop sm on one of the two machines, correct its node name in sm.yaml, restart sm here',
    patienceMs: 0,
  };
}

function* storeFailing({ context: { me }, storeFailed }: AlarmFacts): Iterable<Alarm> {
  if (storeFailed === '') return;
  yield {
    id: 'store-failed',
    entity: `host=${me}`,
    severity: 'critical',
    reason: `the database does not accept commits, so this node gives its groups up: ${storeFailed}`,
    repair: 'make room or mend the disk below the database; sm goes on by itself when commits work again',
    patienceMs: 0,
  };
}

function network(host: string, role: string): string {
  return `host=${host}.network=${role}`;
}
