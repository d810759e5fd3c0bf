/**
 * The groups of this node: what is wanted of each, and the way there through the one grant function. What lost its right
 * is revoked, and nothing new is wanted of it before it is verified as stopped and its number is given up.
 */

import type { GroupDefinition } from '../definitions/model.ts';
import type { GroupDesiredState } from '../kernel/names.ts';
import { STATE } from '../kernel/state.ts';
import type { ClusterContext } from './context.ts';
import { grant, type Verdict } from './permission.ts';

interface Wanted {
  readonly desired: GroupDesiredState | 'revoked';
  readonly activation: number;
  /** Revoked to be begun anew under the number that it has. */
  readonly again?: true;
}

export interface Refusal {
  readonly reason: string;
  readonly since: number;
}

export interface OwnGroupsOptions {
  readonly verdict: (now: number) => Verdict;
  /** Something is wanted otherwise than before: another round is needed. */
  readonly changed: () => void;
  /** Called before anything is activated: sm-watchdog has to know that this node holds activity. */
  readonly hold: () => void;
  /** Nothing of this kernel life was started before, and its first audits are not patiently awaited any more. */
  readonly untouched: () => boolean;
}

export class OwnGroups {
  readonly #context: ClusterContext;
  readonly #options: OwnGroupsOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #refusals = new Map<string, Refusal>();

  get [STATE]() {
    return {
      wanted: this.#wanted,
      refusals: this.#refusals,
    };
  }

  constructor(context: ClusterContext, options: OwnGroupsOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Why something is not active yet, by group. */
  get refusals(): ReadonlyMap<string, Refusal> {
    return this.#refusals;
  }

  wanted(group: string): Wanted['desired'] | undefined {
    return this.#wanted.get(group)?.desired;
  }

  want(group: GroupDefinition, desired: GroupDesiredState, reason: string, now: number): void {
    const { numbers, local } = this.#context;
    const { name, exclusive } = group;
    const { held, stopped } = exclusive ? numbers.of(name) : { held: 0, stopped: 0 };
    const activation = desired === 'active' ? held : 0;
    const wanted = this.#wanted.get(name);
    if (wanted?.desired === desired && wanted.activation === activation) return;
    if (wanted?.desired === 'revoked' && held > 0) return;
    if (desired !== 'active') {
      if (desired === 'initial') return;
      this.#set(name, { desired, activation });
      this.#refusals.delete(name);
      return local.step({ type: 'group.want', group: name, desired, reason }, now);
    }
    const lacking = wanted?.desired === 'active' ? '' : this.#lacking(group);
    if (lacking !== '') return this.refuse(name, lacking, now);
    const granted = grant({ group: name, exclusive, held, stopped }, this.#options.verdict(now));
    if (!granted.ok) return this.refuse(name, granted.reason, now);
    this.#refusals.delete(name);
    this.#set(name, { desired, activation });
    this.#options.hold();
    local.step({ type: 'group.want', group: name, desired, token: granted.token, reason }, now);
  }

  /** `again`: only what runs now has lost its right, not the node; verified as stopped it is begun again under its number. */
  revoke(group: string, reason: string, now: number, again = false): void {
    const wanted = this.#wanted.get(group);
    if (wanted?.desired === 'revoked') {
      if (wanted.again === true && !again) this.#set(group, { desired: 'revoked', activation: 0 });
      return;
    }
    this.#set(group, { desired: 'revoked', activation: 0, ...(again ? { again } : {}) });
    const { history, local } = this.#context;
    history({ entity: 'group', name: group, from: 'active', to: 'revoked', cause: 'revoke', reason });
    local.step({ type: 'group.revoke', group, reason }, now);
  }

  /** A group that needs no permission waits here for the one beside which alone it may be active; for others the leader does. */
  #lacking({ exclusive, activeOnlyIfActive: needed }: GroupDefinition): string {
    const { definitions, local, me } = this.#context;
    if (exclusive || !definitions.groups.has(needed)) return '';
    const { state } = local.group(needed);
    return state === 'active' ? '' : `waits until ${needed} is active on ${me}: it is ${state} there`;
  }

  revokeAll(reason: string, now: number, again = false): void {
    for (const { group, held } of this.#context.numbers.all())
      if (held > 0) this.revoke(group, reason, now, again);
  }

  /** Gives the held number of a group up if the group is wanted otherwise and verified as stopped. True if it did. */
  release(group: string, now: number): boolean {
    const { numbers, local, history } = this.#context;
    const { held } = numbers.of(group);
    const wanted = this.wanted(group);
    if (wanted === 'active' || wanted === undefined || !local.group(group).inactive) return false;
    if (this.#wanted.get(group)?.again === true) {
      this.#beginAgain(group, now);
      return true;
    }
    numbers.giveUp(group, held);
    const from = `holds activation ${held}`;
    const reason = `gave activation ${held} up`;
    history({ entity: 'group', name: group, from, to: 'stopped', cause: 'stopped', reason });
    // Now something new may be wanted of it, an activation under a new number too.
    if (wanted === 'revoked') this.#set(group, { desired: 'disabled', activation: 0 });
    return true;
  }

  #beginAgain(name: string, now: number): void {
    this.#set(name, { desired: 'disabled', activation: 0 });
    const group = this.#context.definitions.groups.get(name);
    if (group !== undefined) this.want(group, 'active', 'begun again under the number that it has', now);
  }

  /** A token lives as long as the permission it was made from: what is active gets a newer one with each renewal. */
  renewTokens(now: number): void {
    const { definitions, numbers, local } = this.#context;
    for (const [name, { desired }] of this.#wanted) {
      if (desired !== 'active' || definitions.groups.get(name)?.exclusive !== true) continue;
      const { held, stopped } = numbers.of(name);
      const granted = grant({ group: name, exclusive: true, held, stopped }, this.#options.verdict(now));
      if (!granted.ok) continue;
      const reason = 'permission was renewed';
      local.step({ type: 'group.want', group: name, desired, token: granted.token, reason }, now);
    }
  }

  refuse(group: string, reason: string, now: number): void {
    if (this.#refusals.get(group)?.reason !== reason) this.#refusals.set(group, { reason, since: now });
  }

  /** Nobody waits for it here any more. */
  forgetRefusal(group: string): void {
    this.#refusals.delete(group);
  }

  /** Verified: nothing of the group is active here. */
  inactive(group: string): boolean {
    if (this.#context.local.group(group).inactive) return true;
    // An audit that hangs says nothing else than that nothing was started yet.
    return !this.#wanted.has(group) && this.#options.untouched();
  }

  #set(group: string, wanted: Wanted): void {
    this.#wanted.set(group, wanted);
    this.#options.changed();
  }
}
