/**
 * Who asks, and what he may do. Three ways to prove it: a token, a certificate of the cluster's own authority, or being a
 * local user who may do so anyway. Source: docs/SECURITY.md.
 */
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import { findToken, mayActAs, PREFIX, ROLES, type Role, type Token } from '../shell/credentials/tokens.ts';
import { problem } from './problem.ts';

export interface Caller {
  /** As it stands in the history and in the audit. */
  readonly name: string;
  readonly role: Role | null;
}

export interface AccessPorts {
  /** The tokens that hold now. */
  readonly tokens: () => readonly Token[];
  /** Uid of the process at the other end of a connection within this node; null = not known. */
  readonly localUid: (request: FastifyRequest) => number | null;
  /** Whether a local user may change things: root, or a member of the group `sm`. */
  readonly mayOperate: (uid: number) => boolean;
  /** The role of a Keystone token; null = it is not valid. Not set: there is no Keystone. */
  readonly keystone?: ((token: string) => Promise<{ name: string; role: Role } | null>) | undefined;
  readonly wallMs: () => number;
}

const TOKEN_CHARACTERS_MAX = 4096;

const isLoopback = (address: string): boolean =>
  address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);

/** Throws `SM_API_TOKEN` where a credential was sent that does not hold: it is never taken for none. */
export async function identify(request: FastifyRequest, ports: AccessPorts): Promise<Caller> {
  const text = sentToken(request);
  if (text !== null) {
    const token = text.length > TOKEN_CHARACTERS_MAX ? null : findToken(ports.tokens(), text, ports.wallMs());
    if (token !== null) return { name: `token ${token.name}`, role: token.role };
    // One of ours that is revoked or over is worth nothing, whoever sends it.
    if (text.startsWith(PREFIX)) throw problem('SM_API_TOKEN');
    const foreign = await ports.keystone?.(text);
    if (foreign != null) return { name: `keystone ${foreign.name}`, role: foreign.role };
    // StarlingX's clients on this node send a token of Keystone whether or not anybody here can check it.
    const local = localCaller(request, ports);
    if (local.role !== null && mayActAs(local.role, 'operator')) return local;
    throw problem('SM_API_TOKEN');
  }
  return certified(request) ?? localCaller(request, ports);
}

function sentToken({ headers }: FastifyRequest): string | null {
  const { 'x-auth-token': token, authorization } = headers;
  if (typeof token === 'string') return token;
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '');
  if (bearer !== null) return bearer[1] ?? '';
  return authorization === undefined ? null : '';
}

/** The authority puts the role into the certificate's OU. It was verified in the TLS handshake. */
function certified({ raw }: FastifyRequest): Caller | null {
  const socket = raw.socket as Partial<TLSSocket>;
  if (socket.authorized !== true || socket.getPeerCertificate === undefined) return null;
  const { subject } = socket.getPeerCertificate();
  const role = ROLES.find((known) => known === subject?.OU);
  return role === undefined ? null : { name: `certificate ${subject.CN}`, role };
}

function localCaller(request: FastifyRequest, ports: AccessPorts): Caller {
  const address = request.raw.socket.remoteAddress ?? '';
  if (address !== '' && !isLoopback(address)) return { name: address, role: null };
  const uid = ports.localUid(request);
  if (uid === null) return { name: 'local', role: 'reader' };
  return { name: `uid ${uid}`, role: ports.mayOperate(uid) ? 'admin' : 'reader' };
}

/** Whether who has sent a token may still read, while the request goes on; who has sent none is who he was. */
export async function stillReads(request: FastifyRequest, ports: AccessPorts): Promise<boolean> {
  if (sentToken(request) === null) return true;
  return identify(request, ports).then(
    ({ role }) => role !== null,
    () => false,
  );
}

/** Throws `SM_API_TOKEN` or `SM_API_ROLE`. */
export function demand(caller: Caller, needed: Role): void {
  if (caller.role === null) throw problem('SM_API_TOKEN');
  if (mayActAs(caller.role, needed)) return;
  // Nobody has said who he is: that is told first.
  if (caller.name === 'local') throw problem('SM_API_TOKEN');
  throw problem('SM_API_ROLE', { needed, held: caller.role, who: caller.name });
}
