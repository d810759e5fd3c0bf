/** Asks every configured arbiter once whether it could be used if it were needed now, and changes nothing. */

import { REPAIRS } from '../../core/arbiter/fence-rules.ts';
import type { Answer, Readiness } from '../../core/arbiter/interface.ts';
import { buildDefinitions } from '../../core/definitions/build.ts';
import { failure, type Result } from '../../core/kernel/errors.ts';
import type { Config } from '../config.ts';
import type { Time } from '../ports.ts';
import { loadRows } from '../store/source.ts';
import { startDisk } from './disk.ts';
import type { ArbiterPlan } from './messages.ts';
import { askGateway } from './ping.ts';
import { arbiterPlan } from './plan.ts';
import { ArbiterService } from './service.ts';

/** Nothing hurries here: a slow answer is one too. */
const ASK_LIMIT_MS = 3000;

function planOfDatabase(config: Config): Result<ArbiterPlan | null> {
  const rows = loadRows(config.database);
  if (!rows.ok) return rows;
  const { set, problems } = buildDefinitions(rows.value.rows);
  if (set !== null) return { ok: true, value: arbiterPlan(config, set, '') };
  const detail = problems.find(({ severity }) => severity === 'error')?.sentence ?? '';
  return failure('SM_SET_FATAL', { path: config.database, detail });
}

export async function checkArbiters(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  time: Time,
): Promise<Result<readonly Readiness[]>> {
  const plan = planOfDatabase(config);
  if (!plan.ok) return plan;
  if (plan.value === null) return { ok: true, value: [] };
  const service = new ArbiterService({ plan: plan.value, tell: () => {}, environment, startDisk, time });
  try {
    const record = service
      .look(ASK_LIMIT_MS)
      .then((answer) => (answer === null ? [] : [readinessOf(answer)]));
    const { arbiters } = plan.value;
    const gateways = arbiters.gateways.map(async (gateway) =>
      gatewayReadiness(gateway.address, await askGateway(gateway, plan.value as ArbiterPlan, time.now)),
    );
    const all = await Promise.all([record, service.audit(), Promise.all(gateways)]);
    return { ok: true, value: all.flat() };
  } finally {
    service.stop();
  }
}

function readinessOf(answer: Answer<unknown>): Readiness {
  const dated = {
    arbiter: 'record',
    checkedAt: answer.answeredAt,
    tookMs: answer.answeredAt - answer.askedAt,
  };
  if (answer.kind === 'known') return { ...dated, ready: true, cause: null, reason: '' };
  const { cause, detail } = answer;
  return { ...dated, ready: false, cause, reason: `${detail}: ${REPAIRS[cause]}` };
}

function gatewayReadiness(address: string, answer: Answer<'answers' | 'silent'>): Readiness {
  const { answeredAt, askedAt } = answer;
  const dated = { arbiter: `gateway ${address}`, checkedAt: answeredAt, tookMs: answeredAt - askedAt };
  if (answer.kind === 'unknown')
    return { ...dated, ready: false, cause: answer.cause, reason: answer.detail };
  const ready = answer.value === 'answers';
  const reason = ready ? '' : `it does not answer: ${REPAIRS.unreachable}`;
  return { ...dated, ready, cause: ready ? null : 'unreachable', reason };
}
