/**
 * The routers behind our own links. One that does not answer says that this node is cut off there, and nothing of the peer:
 * a link does not count as up then, which can only make this node stop, or not take over (docs/SAFETY.md, rule 14d).
 */
import type { InterfaceRole } from '../kernel/names.ts';

/** One lost packet is no cut: so many questions in a row have to go without an answer. */
export const GATEWAY_MISSES = 3;

export interface GatewayState {
  readonly role: InterfaceRole;
  readonly answers: boolean;
  /** Why not; '' = it answers. */
  readonly reason: string;
}

interface Gateway {
  misses: number;
  reason: string;
}

export class Gateways {
  readonly #gateways = new Map<InterfaceRole, Gateway>();

  /** `reason`: why it could not be asked, which proves nothing; '' = it was. */
  told(role: InterfaceRole, answers: boolean, reason: string): void {
    const { misses = 0 } = this.#gateways.get(role) ?? {};
    if (answers) this.#gateways.set(role, { misses: 0, reason: '' });
    else if (reason !== '') this.#gateways.set(role, { misses, reason });
    else this.#gateways.set(role, { misses: misses + 1, reason: '' });
  }

  /** Nobody asks any more: those of this link, or any. */
  forget(role?: InterfaceRole): void {
    if (role === undefined) this.#gateways.clear();
    else this.#gateways.delete(role);
  }

  isSilent(role: InterfaceRole): boolean {
    return (this.#gateways.get(role)?.misses ?? 0) >= GATEWAY_MISSES;
  }

  states(): GatewayState[] {
    return [...this.#gateways].map(([role, { reason }]) => {
      if (this.isSilent(role)) return { role, answers: false, reason: NO_ANSWER };
      return { role, answers: reason === '', reason: reason === '' ? '' : `it can not be asked: ${reason}` };
    });
  }
}

export const NO_ANSWER = 'its gateway does not answer';
export const NO_HOSTS = 'most of the managed hosts do not answer there';
