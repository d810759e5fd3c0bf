/**
 * Asks a gateway whether it answers. It proves one thing: that this node is not cut off. That nobody answers proves that
 * this node is isolated or the gateway away, and never anything about the peer (docs/SAFETY.md, rule 14d).
 */
import { spawn } from 'node:child_process';
import { isIP } from 'node:net';
import type { Answer } from '../../core/arbiter/interface.ts';
import type { GatewayDefinition } from '../../core/definitions/arbiter-model.ts';
import { interfaceWith, sought } from '../watchdog/address.ts';
import type { ArbiterPlan } from './messages.ts';

export type PingAnswer = 'answers' | 'silent';

/** Exit codes of ping(8): 0 = an answer came, 1 = none did, others = it could not ask. */
const SILENT = 1;

/**
 * By the interface of its role and no other: an answer that came another way says nothing of this link. An own address that is
 * nowhere is told by the link itself.
 */
export function askGateway(
  { role, address, pingLimitMs }: GatewayDefinition,
  { addresses }: Pick<ArbiterPlan, 'addresses'>,
  now: () => number,
): Promise<Answer<PingAnswer>> {
  const own = addresses[role] ?? '';
  const link = interfaceWith(sought(own));
  if (link !== null) return ping(address, link, pingLimitMs, now);
  const [askedAt, answeredAt] = [now(), now()];
  const detail = `own address ${own} of ${role} is on no interface that is up`;
  return Promise.resolve({ kind: 'unknown', askedAt, answeredAt, cause: 'refused', detail });
}

/** ICMP needs a socket that node can not open: ping(8) has one. `link` = only by that interface; '' = any. */
export function ping(
  address: string,
  link: string,
  limitMs: number,
  now: () => number,
  program = 'ping',
): Promise<Answer<PingAnswer>> {
  const askedAt = now();
  const unknown = (detail: string): Answer<PingAnswer> => {
    return { kind: 'unknown', askedAt, answeredAt: now(), cause: 'refused', detail };
  };
  if (isIP(address.replace(/%.*$/, '')) === 0)
    return Promise.resolve(unknown(`"${address}" is no IP address`));
  const args = [
    '-n',
    '-q',
    '-c',
    '1',
    '-W',
    String(limitMs / 1000),
    ...(link === '' ? [] : ['-I', link]),
    '--',
    address,
  ];
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    const end = (answer: Answer<PingAnswer>): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end({ kind: 'known', askedAt, answeredAt: now(), value: 'silent' });
    }, limitMs + KILL_SLACK_MS);
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(0, 200);
    });
    child.on('error', (error) => end(unknown(`${program} can not be run: ${error.message}`)));
    child.on('close', (code) => {
      if (code !== 0 && code !== SILENT) return end(unknown(said.trim() || `${program} ended with ${code}`));
      end({ kind: 'known', askedAt, answeredAt: now(), value: code === 0 ? 'answers' : 'silent' });
    });
  });
}

/** What ping may take beyond its own limit. */
const KILL_SLACK_MS = 200;
