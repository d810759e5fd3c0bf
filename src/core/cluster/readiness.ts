/**
 * Whether this node is ready to be given groups, and how it is: what the shell found before it let the node in
 * (go-enabled), another machine that uses its name, then its core groups, each of which has to be active; its availability is
 * that of its groups.
 */
import { STATE } from '../kernel/state.ts';
import { hasFailed } from '../plan/plan.ts';
import type { Wait } from '../service/interface.ts';
import type { ClusterContext } from './context.ts';

export class Readiness {
  readonly #context: ClusterContext;
  /** What the shell says; '' = ready. */
  #obstacle: string;
  /** Why this node is about to leave; '' = it is not. What it has stopped need not wait for what it has not. */
  leaving = '';
  /** Nothing exclusive is granted to it then (rule 8): the other node shall have it. */
  isDuplicated = false;
  #reason: string;
  #since = 0;

  /** `obstacle`: what is in the way at the start; '' = nothing. */
  get [STATE]() {
    return {
      obstacle: this.#obstacle,
      reason: this.#reason,
      since: this.#since,
    };
  }

  set [STATE](state) {
    this.#obstacle = state.obstacle;
    this.#reason = state.reason;
    this.#since = state.since;
  }

  constructor(context: ClusterContext, obstacle: string) {
    this.#context = context;
    this.#obstacle = obstacle;
    this.#reason = obstacle;
  }

  /** Why the node is not ready; '' = it is. */
  get reason(): string {
    return this.#reason;
  }

  /** What the shell says: '' = nothing is in the way. */
  set obstacle(reason: string) {
    this.#obstacle = reason;
  }

  /** Brings the record of this node in line with what is so. */
  judge(now: number): void {
    const { me, nodes, local, history } = this.#context;
    const before = this.#reason;
    if (this.#since === 0) this.#since = now;
    const leaving = this.leaving === '' ? '' : `it leaves: ${this.leaving}`;
    const duplicated = this.isDuplicated ? 'another machine uses its name' : '';
    this.#reason = leaving || this.#obstacle || duplicated || this.#coreObstacle();
    const ready = this.#reason === '';
    const ill = local.groups().some(({ status }) => status === 'failed' || status === 'degraded');
    nodes.set(me, {
      ready: ready ? 'enabled' : 'disabled',
      operational: ready ? 'enabled' : 'disabled',
      availability: !ready ? 'failed' : ill ? 'degraded' : 'available',
    });
    if ((before === '') === ready) return;
    this.#since = now;
    const [from, to] = ready ? ['not ready', 'ready'] : ['ready', 'not ready'];
    const reason = ready ? `over: ${before}` : this.#reason;
    history({ entity: 'node', name: me, from, to, cause: 'node-ready', reason });
  }

  wait(): Wait | null {
    if (this.#reason === '') return null;
    const { me: name } = this.#context;
    const reason = `not ready, and given no groups: ${this.#reason}`;
    return { entity: 'node', name, reason, since: this.#since, until: null };
  }

  #coreObstacle(): string {
    const { definitions, local } = this.#context;
    for (const { name, core } of definitions.groups.values()) {
      if (!core) continue;
      const group = local.group(name);
      if (group.state !== 'active') return `core group ${name} is ${group.state}`;
      if (hasFailed(group)) return `core group ${name} has failed: ${group.reason}`;
    }
    return '';
  }
}
