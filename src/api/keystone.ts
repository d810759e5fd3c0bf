/**
 * Asks a Keystone whether a token holds, and for which roles (Identity API v3, "Validate and show information for token").
 * The token vouches for itself, so this server needs no account there. Optional: without Keystone our own tokens do.
 */
import { createHash } from 'node:crypto';
import { ROLES, type Role } from '../shell/credentials/tokens.ts';

export interface KeystonePorts {
  /** `https://keystone:5000/v3` */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Wall-clock ms, for the token's own end. */
  readonly wallMs: () => number;
  readonly failed: (detail: string) => void;
}

export interface KeystoneUser {
  readonly name: string;
  readonly role: Role;
}

/** A token revoked in Keystone works here for at most so long, ms. */
const KEPT_MS = 60_000;
const KEPT_MAX = 1000;
/** A Keystone that does not answer makes a caller wait at most so long, ms. */
const ANSWER_MS_MAX = 3000;
const BODY_CHARACTERS_MAX = 1_000_000;

/** Keystone's role names, in any case. */
const ROLE_OF: Readonly<Record<string, Role>> = {
  admin: 'admin',
  administrator: 'admin',
  operator: 'operator',
  reader: 'reader',
};

/** null = the token does not hold, has none of our roles, or Keystone did not answer in time. */
export function keystoneValidator(ports: KeystonePorts): (token: string) => Promise<KeystoneUser | null> {
  const kept = new Map<string, { readonly until: number; readonly user: Promise<KeystoneUser | null> }>();
  return (token) => {
    const sum = createHash('sha256').update(token).digest('hex');
    const now = ports.now();
    const known = kept.get(sum);
    if (known !== undefined && now < known.until) return known.user;
    const user = validate(ports, token).catch((error: unknown) => {
      kept.delete(sum);
      ports.failed(error instanceof Error ? error.message : String(error));
      return null;
    });
    if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value ?? '');
    kept.set(sum, { until: now + KEPT_MS, user });
    return user;
  };
}

async function validate(ports: KeystonePorts, token: string): Promise<KeystoneUser | null> {
  if (!/^[\x21-\x7e]+$/.test(token)) return null;
  const response = await ports.fetch(`${ports.url.replace(/\/$/, '')}/auth/tokens`, {
    headers: { 'x-auth-token': token, 'x-subject-token': token, accept: 'application/json' },
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
    redirect: 'error',
  });
  const text = (await response.text()).slice(0, BODY_CHARACTERS_MAX);
  if (response.status === 401 || response.status === 403 || response.status === 404) return null;
  if (response.status !== 200) throw new Error(`Keystone answered ${response.status}`);
  return userOf(JSON.parse(text), ports.wallMs());
}

function userOf(value: unknown, wallMs: number): KeystoneUser | null {
  const token = (value as { token?: Record<string, unknown> } | null)?.token ?? {};
  const {
    roles,
    user,
    expires_at: end,
  } = token as {
    roles?: unknown;
    user?: { name?: unknown };
    expires_at?: unknown;
  };
  if (typeof end !== 'string' || !(Date.parse(end) > wallMs) || !Array.isArray(roles)) return null;
  const held = roles
    .map((role: { name?: unknown } | null) => ROLE_OF[String(role?.name).toLowerCase()])
    .filter((role) => role !== undefined);
  const best = [...ROLES].reverse().find((role) => held.includes(role));
  return best === undefined ? null : { name: String(user?.name ?? '?').slice(0, 64), role: best };
}
