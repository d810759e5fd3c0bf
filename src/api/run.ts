/** The process `sm-api`: builds the server from the configuration, refuses unsafe addresses, ends in order. */
import { readFileSync, statSync } from 'node:fs';
import { Server as TlsServer } from 'node:tls';
import { codedError, type Result } from '../core/kernel/errors.ts';
import type { Config } from '../shell/config.ts';
import { isOperator } from '../shell/credentials/group-members.ts';
import { uidOfPeer } from '../shell/credentials/local-caller.ts';
import { readTokens, type Token } from '../shell/credentials/tokens.ts';
import type { Logger } from '../shell/log.ts';
import { LiveReader } from '../shell/store/live-reader.ts';
import type { AccessPorts } from './access.ts';
import { Answers } from './answers.ts';
import { AuditFile } from './audit.ts';
import { keepSockets } from './compatibility/keep.ts';
import { handle } from './compatibility/serve.ts';
import type { Sockets } from './compatibility/sockets.ts';
import { Daemon } from './daemon.ts';
import { keystoneValidator } from './keystone.ts';
import { Once } from './once.ts';
import type { ApiContext } from './routes/context.ts';
import { buildServer, type ServerOptions } from './server.ts';
import { Stream, UNREAD_MS_MAX } from './stream.ts';

export interface RunningApi {
  readonly url: string;
  /** Reads certificate and key anew. Errors: `SM_API_TLS`; the old ones stay in use. */
  renew(): Result<null>;
  close(): Promise<void>;
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/**
 * Resolves when it listens. Errors: `SM_API_ADDRESS`, `SM_API_CREDENTIAL`, `SM_API_TLS`, `SM_API_LISTEN`, those of the
 * token file.
 */
export async function runApi(config: Config, log: Logger): Promise<Result<RunningApi>> {
  const { api } = config;
  const tokens = readTokens(api.tokensFile);
  if (!tokens.ok) return tokens;
  const unsafe = unsafeReason(config, tokens.value);
  if (unsafe !== null) return { ok: false, error: unsafe };
  const tls = tlsOf(config);
  if (!tls.ok) return tls;

  const now = () => performance.now();
  const reader = new LiveReader(config.database, now);
  const answers = new Answers(reader);
  const daemon = new Daemon({ socket: config.controlSocket, now });
  const stream = new Stream({
    read: (work) => answers.read(work),
    dropped: (reason) => log.warn({ reason }, 'reader of the stream sent away'),
    now,
    unreadMsMax: UNREAD_MS_MAX,
  });
  daemon.onChange = () => stream.wake();
  const audit = new AuditFile(api.auditFile, (detail) =>
    log.error({ detail }, 'the audit can not be written'),
  );
  const context: ApiContext = {
    node: config.node,
    database: config.database,
    answers,
    daemon,
    stream,
    audit: (record) => audit.write(record),
    once: new Once(now),
    wallMs: () => Date.now(),
    access: accessOf(config, log),
  };
  const app = await buildServer({ log, ...(tls.value === null ? {} : { tls: tls.value }), context });
  const compatibility = await openCompatibility(api.compatibility, context, log);
  const close = async () => {
    compatibility?.close();
    daemon.close();
    stream.close();
    await app.close();
    reader.close();
  };
  await daemon.start();
  try {
    const url = await app.listen({ host: api.address, port: api.port });
    return { ok: true, value: { url, close, renew: () => renew(config, app.server) } };
  } catch (error) {
    await close();
    const detail = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      error: codedError('SM_API_LISTEN', { address: api.address, port: api.port, detail }),
    };
  }
}

/** Without them the server works for everybody else: why they are missing stands in the log. */
async function openCompatibility(
  directory: string | null,
  context: ApiContext,
  log: Logger,
): Promise<Sockets | null> {
  if (directory === null) return null;
  const refused = (reason: string) =>
    log.warn({ reason }, 'a message to the compatibility sockets was refused');
  const sockets: Sockets = await keepSockets({
    directory,
    opened: () => log.info({ directory }, 'compatibility sockets are open'),
    lost: (reason, pauseMs) =>
      log.error({ directory, reason, pauseMs }, 'there are no compatibility sockets; they are opened again'),
    received: (bytes) => {
      const ports = { context, send: (text: string) => sockets.send(text), refused };
      handle(bytes, ports).catch((error: unknown) => refused(`a fault of ours: ${String(error)}`));
    },
    now: () => performance.now(),
  });
  return sockets;
}

function accessOf({ api }: Config, log: Logger): AccessPorts {
  const wallMs = () => Date.now();
  const failed = (detail: string) => log.warn({ detail }, 'Keystone did not validate a token');
  return {
    tokens: currentTokens(api.tokensFile, log),
    localUid: ({ raw }) => {
      const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = raw.socket;
      return uidOfPeer({ remoteAddress, remotePort, localAddress, localPort });
    },
    mayOperate: (uid) => isOperator(uid),
    keystone:
      api.keystone === null
        ? undefined
        : keystoneValidator({ url: api.keystone, fetch, now: () => performance.now(), wallMs, failed }),
    wallMs,
  };
}

/** Away from loopback there has to be TLS, and somebody who can prove who he is. */
function unsafeReason({ api }: Config, tokens: readonly Token[]) {
  const { address, tls, keystone } = api;
  if (isLoopback(address)) return null;
  if (tls === null) return codedError('SM_API_ADDRESS', { address });
  if (tokens.length === 0 && tls.clientCa === null && keystone === null)
    return codedError('SM_API_CREDENTIAL', { address });
  return null;
}

type Tls = NonNullable<ServerOptions['tls']>;

function tlsOf({ api: { tls } }: Config): Result<Tls | null> {
  if (tls === null) return { ok: true, value: null };
  try {
    const ca = tls.clientCa === null ? {} : { ca: readFileSync(tls.clientCa) };
    const mode = statSync(tls.key).mode & 0o077;
    if (mode !== 0) throw new Error(`${tls.key} may be read by others: chmod 0600 ${tls.key}`);
    const value: Tls = {
      cert: readFileSync(tls.certificate),
      key: readFileSync(tls.key),
      ...ca,
      minVersion: 'TLSv1.2',
      requestCert: tls.clientCa !== null,
      // Who has no certificate may have a token: what a certificate is worth is judged for each request.
      rejectUnauthorized: false,
    };
    return { ok: true, value };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ok: false, error: codedError('SM_API_TLS', { detail }) };
  }
}

function renew(config: Config, server: object): Result<null> {
  const tls = tlsOf(config);
  if (!tls.ok) return tls;
  if (tls.value !== null && server instanceof TlsServer) server.setSecureContext(tls.value);
  return { ok: true, value: null };
}

/** The tokens of the file as it is now: a revoked token is worth nothing from the next request on. */
function currentTokens(path: string, log: Logger): () => readonly Token[] {
  let stamp = '';
  let tokens: readonly Token[] = [];
  return () => {
    const facts = statSync(path, { throwIfNoEntry: false, bigint: true });
    const seen = facts === undefined ? 'none' : `${facts.ino} ${facts.mtimeNs} ${facts.size}`;
    if (seen === stamp) return tokens;
    stamp = seen;
    const read = readTokens(path);
    tokens = read.ok ? read.value : [];
    if (!read.ok) log.error({ code: read.error.code }, read.error.message);
    return tokens;
  };
}
