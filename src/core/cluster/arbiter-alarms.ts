/**
 * What is wrong with the arbiters, said before they are needed, and why a silent peer is not replaced. Source:
 * docs/reference/alarms.md.
 */
import { REPAIRS } from '../arbiter/fence-rules.ts';
import type { Regime } from '../arbiter/regime.ts';
import { hasThirdVote } from '../definitions/check-arbiters.ts';
import type { ArbiterView } from '../view.ts';
import type { Alarm } from './alarms.ts';
import type { ClusterContext } from './context.ts';

/** A request that fails is no trouble yet; a restart of etcd takes a second. */
const RECORD_PATIENCE_MS = 3000;
/** A take-over that goes well is over by then. */
const SILENCE_PATIENCE_MS = 3000;

interface Facts {
  readonly context: ClusterContext;
  readonly arbiter: ArbiterView;
}

/** Nobody beside the two nodes can be asked who may act. */
export function* noThirdVote({ context: { definitions, peer }, arbiter }: Facts): Iterable<Alarm> {
  if (peer === null || arbiter.regime !== 'record') return;
  const { domain, arbiters, interfaces } = definitions;
  const named = { id: 'no-third-vote', entity: domain.name };
  const keeper = arbiters?.etcd != null ? 'etcd' : 'the shared disk';
  if (!arbiter.connected || arbiter.cause !== null) {
    yield {
      ...named,
      severity: 'major',
      reason: `${keeper} can not be asked: ${arbiter.connected ? arbiter.reason : 'sm-arbiter is not there'}; a node that falls silent now is not replaced`,
      repair:
        arbiter.cause === null
          ? 'see the log of sm-watchdog for why sm-arbiter ends'
          : REPAIRS[arbiter.cause],
      patienceMs: RECORD_PATIENCE_MS,
    };
  } else if (arbiters?.etcd != null && !hasThirdVote(arbiters.etcd.endpoints, interfaces)) {
    yield {
      ...named,
      severity: 'minor',
      reason:
        'every endpoint of etcd is on one of the two nodes: when one of them dies etcd may lose its majority',
      repair: 'add a member of etcd on a third machine, and name it in SM_ETCD.ENDPOINTS',
      patienceMs: 0,
    };
  }
}

/**
 * A machine that is paused or set back counts no time: it wakes up with live services, of which the record has let the
 * other node in since. Only the proof that it was off covers that (docs/SAFETY.md, rule 17). For virtual machines alone.
 */
export function* pausedVirtualMachine(
  { definitions: { arbiters }, me, peer }: Facts['context'],
  regime: Regime,
): Iterable<Alarm> {
  if (peer === null || regime !== 'record' || (arbiters?.fencing.devices.length ?? 0) > 0) return;
  const keeper = arbiters?.etcd != null ? 'etcd' : 'the shared disk';
  yield {
    id: 'paused-virtual-machine',
    entity: `host=${me}`,
    severity: 'minor',
    reason: `${me} is a virtual machine, and ${keeper} alone decides: paused or set back, and continued after ${peer.name} has replaced it, it acts beside it until its first timer`,
    repair: `never pause, migrate or revert ${me} while it is unlocked, or add fence devices to SM_FENCE_DEVICES; where it is none after all: virtualMachine: no in sm.yaml`,
    patienceMs: 0,
  };
}

/** Its death could not be proven if that were needed now. */
export function* cannotBeFenced({ context: { definitions, peer }, arbiter }: Facts): Iterable<Alarm> {
  if (peer === null || (definitions.arbiters?.fencing.devices.length ?? 0) === 0) return;
  const devices = definitions.arbiters?.fencing.devices.filter(({ node }) => node === peer.name) ?? [];
  const named = { id: 'cannot-be-fenced', entity: `host=${peer.name}`, severity: 'major' } as const;
  if (devices.length === 0) {
    const repair = `add a row for ${peer.name} to SM_FENCE_DEVICES`;
    yield { ...named, reason: `no fence device has the power of ${peer.name}`, repair, patienceMs: 0 };
    return;
  }
  const faults = arbiter.devices.filter(({ ready }) => !ready);
  if (faults.length === 0) return;
  yield {
    ...named,
    reason: `${peer.name} can not be fenced now: ${faults.map(({ arbiter: device, reason }) => `${device}: ${reason}`).join('; ')}`,
    repair: 'mend it; sm-arbiter --check asks it anew',
    patienceMs: 0,
  };
}

/** This node may be cut off there, and knows nothing more of it than that. */
export function* gatewayUnreachable({ context: { definitions, me }, arbiter }: Facts): Iterable<Alarm> {
  for (const { role, answers, reason } of arbiter.gateways) {
    if (answers) continue;
    const address = definitions.arbiters?.gateways.find((gateway) => gateway.role === role)?.address ?? '';
    yield {
      id: 'gateway-unreachable',
      entity: `host=${me}.network=${role}`,
      severity: 'major',
      reason: `gateway ${address} of ${role}: ${reason}; while the peer is not heard there, the link does not count as up`,
      repair: `check the switch of ${role}, the router, and its ADDRESS in SM_GATEWAYS`,
      patienceMs: 0,
    };
  }
}

/** It is silent, and nothing lets this node act in its place. */
export function* notReplaced({ context: { peer, numbers }, arbiter }: Facts): Iterable<Alarm> {
  if (peer === null || peer.heard || peer.silentSince === null || peer.isReplaceable || peer.mayTake) return;
  // Under the policy `takeover` links decide, and have alarms of their own.
  if (arbiter.regime === 'simplex' || arbiter.regime === 'takeover' || arbiter.sole) return;
  if (!numbers.all().some(({ held, holder }) => held === 0 && (holder === peer.name || holder === '')))
    return;
  const fencing = arbiter.lastFence === '' ? '' : `; the last fencing: ${arbiter.lastFence}`;
  yield {
    id: 'peer-not-replaced',
    entity: `host=${peer.name}`,
    severity: 'critical',
    reason: `${peer.name} is silent, and is not replaced: ${peer.reason}${fencing}`,
    repair: `bring it, its links or the arbiter back; where it surely has no power: smctl confirm-dead ${peer.name}`,
    patienceMs: SILENCE_PATIENCE_MS,
  };
}
