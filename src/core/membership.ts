/**
 * A second node for a node alone, and the end of one that is gone: what has to be so before the set of nodes is changed
 * (docs/SAFETY.md, "One node and two"). Pure; judged on what the engine knows at that moment.
 */
import { hasEnded } from './explain.ts';
import type { InterfaceRole } from './kernel/names.ts';
import { isNodeName } from './link/frame.ts';
import type { EngineView } from './view.ts';

export interface NodeLink {
  readonly role: InterfaceRole;
  readonly address: string;
  readonly peerAddress: string;
}

export type NodeChange =
  | {
      readonly change: 'add';
      readonly node: string;
      /** UDP port on all links; the next one is taken too. */
      readonly port: number;
      readonly links: readonly NodeLink[];
    }
  | {
      readonly change: 'remove';
      readonly node: string;
      /** The operator's word that it is gone for good. */
      readonly dead: boolean;
    };

type Ground = (view: EngineView, change: NodeChange) => string | null;

/** Only a node that leads and may act changes anything, and not in the middle of something else. */
const ALWAYS: readonly Ground[] = [
  ({ domain, node }) => (domain.state === 'leader' ? null : `${node} does not lead the domain`),
  ({ permission, node }) => (permission.reason === '' ? null : `${node} may not act: ${permission.reason}`),
  ({ operations }) => {
    const pending = operations.find(({ step }) => !hasEnded(step));
    return pending === undefined ? null : `${pending.kind} of ${pending.node} is under way: wait for its end`;
  },
  ({ services }) => {
    const busy = services.find(({ running }) => running !== null && !running.startsWith('audit'));
    return busy === undefined ? null : `${busy.name} is being changed (${busy.running}): wait for its end`;
  },
];

const ADD: readonly Ground[] = [
  ({ peer }) => (peer === null ? null : `the domain has a second node already, ${peer.name}`),
  ({ node }, { node: other }) => (node === other ? `${other} is this node` : null),
  (_view, { node }) =>
    isNodeName(node) ? null : 'the name of a node has letters, digits, dots, underscores and dashes',
];

const REMOVE: readonly Ground[] = [
  ({ peer, node }) => (peer === null ? `${node} is the only node of the domain` : null),
  ({ peer }, { node }) => (peer?.name === node ? null : `the other node is ${peer?.name}, not ${node}`),
  ({ peer }, { node }) =>
    peer?.heard === true && !peer.leaving
      ? `${node} is heard: lock it (smctl lock ${node}) and stop sm on it first`
      : null,
  ({ numbers }, { node }) => {
    const held = numbers.find(({ holder }) => holder === node);
    return held === undefined
      ? null
      : `${held.group} is recorded as active on ${node}: if that is dead, say so first (smctl confirm-dead ${node})`;
  },
  ({ peer }, change) =>
    peer?.lockedForGood === true || (change.change === 'remove' && change.dead)
      ? null
      : `${change.node} has not said that it is locked: started again it would take the groups while they run here. ` +
        'If it is gone for good, with its database, say so with --dead',
];

/** Why the change can not be made now; null = it can. */
export function changeRefusal(view: EngineView, change: NodeChange): string | null {
  const grounds = [...(change.change === 'add' ? ADD : REMOVE), ...ALWAYS];
  for (const ground of grounds) {
    const reason = ground(view, change);
    if (reason !== null) return reason;
  }
  return null;
}
