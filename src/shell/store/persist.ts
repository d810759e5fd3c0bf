/** From effects of the engine to rows. Statements are prepared once; the caller holds the transaction. */
import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { Boot, PersistEffect } from '../../core/engine-interface.ts';
import { never } from '../../core/kernel/assert.ts';
import { LIMITS } from '../../core/kernel/limits.ts';
import type { Operation } from '../../core/link/types.ts';
import type { HistoryEffect } from '../../core/service/interface.ts';

export type StoredEffect = PersistEffect | HistoryEffect;
type Effect<T extends StoredEffect['type']> = Extract<StoredEffect, { type: T }>;

/** Operations that ended, and are kept to be looked at. */
const FINISHED_OPERATIONS_MAX = 200;
/** Former states of nodes, and starts of the kernel, that are kept. */
const NODE_HISTORY_ROWS_MAX = 500;
export const BOOT_ROWS_MAX = 100;
/** A reason may carry the tail of a script's output. */
const REASON_CHARACTERS_MAX = 4 * LIMITS.reasonCharactersMax + LIMITS.outputTailBytesMax;

const SQL = {
  service: 'UPDATE SERVICES SET DESIRED_STATE = ?, STATE = ?, STATUS = ?, CONDITION = ? WHERE NAME = ?',
  group: 'UPDATE SERVICE_GROUPS SET DESIRED_STATE = ?, STATE = ?, STATUS = ?, CONDITION = ? WHERE NAME = ?',
  managed: `INSERT INTO SM_MANAGED (SERVICE_NAME, MANAGED, REASON, MANAGED_AGAIN_AT, CHANGED_AT) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (SERVICE_NAME) DO UPDATE SET MANAGED = excluded.MANAGED, REASON = excluded.REASON,
      MANAGED_AGAIN_AT = excluded.MANAGED_AGAIN_AT, CHANGED_AT = excluded.CHANGED_AT`,
  intent: 'INSERT OR REPLACE INTO SM_INTENTS (SERVICE_NAME, RUN, ACTION, STARTED_AT) VALUES (?, ?, ?, ?)',
  intentEnded: 'DELETE FROM SM_INTENTS WHERE SERVICE_NAME = ? AND RUN = ?',
  history: `INSERT INTO SM_EVENTS (WALL_MS, ENTITY, NAME, FROM_STATE, TO_STATE, CAUSE, ACTOR, REASON)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  historyLimit: 'DELETE FROM SM_EVENTS WHERE ID <= ?',
  node: `INSERT INTO NODES
      (NAME, ADMINISTRATIVE_STATE, OPERATIONAL_STATE, AVAILABILITY_STATUS, READY_STATE, STATE_UUID)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (NAME) DO UPDATE SET ADMINISTRATIVE_STATE = excluded.ADMINISTRATIVE_STATE,
      OPERATIONAL_STATE = excluded.OPERATIONAL_STATE, AVAILABILITY_STATUS = excluded.AVAILABILITY_STATUS,
      READY_STATE = excluded.READY_STATE, STATE_UUID = excluded.STATE_UUID`,
  nodeHistory: `INSERT INTO NODE_HISTORY
      (NAME, ADMINISTRATIVE_STATE, OPERATIONAL_STATE, AVAILABILITY_STATUS, READY_STATE, STATE_UUID)
    SELECT NAME, ADMINISTRATIVE_STATE, OPERATIONAL_STATE, AVAILABILITY_STATUS, READY_STATE, STATE_UUID FROM NODES
    WHERE NAME = ?
      AND (ADMINISTRATIVE_STATE, OPERATIONAL_STATE, AVAILABILITY_STATUS, READY_STATE) IS NOT (?, ?, ?, ?)`,
  nodeHistoryLimit: `DELETE FROM NODE_HISTORY
    WHERE ID <= (SELECT max(ID) FROM NODE_HISTORY) - ${NODE_HISTORY_ROWS_MAX}`,
  nodeFacts: `INSERT OR REPLACE INTO SM_NODE_FACTS (NODE_NAME, ADMINISTRATIVE_VERSION, LOCKED_UNTIL, LOCK_REASON)
    VALUES (?, ?, ?, ?)`,
  interface: 'UPDATE SERVICE_DOMAIN_INTERFACES SET INTERFACE_STATE = ? WHERE SERVICE_DOMAIN_INTERFACE = ?',
  domain: `UPDATE SERVICE_DOMAINS SET STATE = ?, DESIGNATION = ?, LEADER = ?, GENERATION = ?
    WHERE PROVISIONED = 'yes'`,
  neighbor: `INSERT INTO SERVICE_DOMAIN_NEIGHBORS
      (NAME, SERVICE_DOMAIN, ORCHESTRATION, DESIGNATION, PRIORITY, HELLO_INTERVAL, DEAD_INTERVAL, WAIT_INTERVAL,
       EXCHANGE_INTERVAL, STATE, GENERATION)
    SELECT ?, NAME, ORCHESTRATION, ?, PRIORITY, HELLO_INTERVAL, DEAD_INTERVAL, WAIT_INTERVAL, EXCHANGE_INTERVAL, ?,
       GENERATION
    FROM SERVICE_DOMAINS WHERE PROVISIONED = 'yes'
    ON CONFLICT (NAME, SERVICE_DOMAIN) DO UPDATE SET DESIGNATION = excluded.DESIGNATION, STATE = excluded.STATE,
      GENERATION = excluded.GENERATION`,
  assignment: `INSERT INTO SERVICE_DOMAIN_ASSIGNMENTS
      (UUID, NAME, NODE_NAME, SERVICE_GROUP_NAME, DESIRED_STATE, STATE, STATUS, CONDITION)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (NAME, NODE_NAME, SERVICE_GROUP_NAME) DO UPDATE SET DESIRED_STATE = excluded.DESIRED_STATE,
      STATE = excluded.STATE, STATUS = excluded.STATUS, CONDITION = excluded.CONDITION`,
  numbers: `INSERT OR REPLACE INTO SM_GROUP_NUMBERS
      (SERVICE_GROUP_NAME, HELD, STOPPED, HIGHEST, HOLDER, HOLDER_ACTIVATION) VALUES (?, ?, ?, ?, ?, ?)`,
  operation: `INSERT OR REPLACE INTO SM_OPERATIONS
      (OPERATION, KIND, NODE_NAME, SERVICE_GROUP_NAME, STEP, ACTOR, WHY, REASON, REQUESTED_AT, LIMIT_MS)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  operationLimit: `DELETE FROM SM_OPERATIONS WHERE OPERATION IN (
      SELECT OPERATION FROM SM_OPERATIONS WHERE STEP IN ('done', 'failed-back', 'timed-out', 'refused')
      ORDER BY REQUESTED_AT DESC, OPERATION DESC LIMIT -1 OFFSET ${FINISHED_OPERATIONS_MAX})`,
  boot: 'INSERT INTO SM_BOOTS (WALL_MS, KERNEL_LIFE, CAUSE, REASON) VALUES (?, ?, ?, ?)',
  bootLimit: `DELETE FROM SM_BOOTS WHERE ID <= (SELECT max(ID) FROM SM_BOOTS) - ${BOOT_ROWS_MAX}`,
  alarm: `INSERT INTO SM_ALARMS (ALARM, ENTITY, SEVERITY, REASON, REPAIR, RAISED_AT) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (ALARM, ENTITY) DO UPDATE SET SEVERITY = excluded.SEVERITY,
      REASON = excluded.REASON, REPAIR = excluded.REPAIR`,
  alarmCleared: 'DELETE FROM SM_ALARMS WHERE ALARM = ? AND ENTITY = ?',
  state: 'INSERT OR REPLACE INTO SM_STATE (KEY, VALUE) VALUES (?, ?)',
  stateGone: 'DELETE FROM SM_STATE WHERE KEY = ?',
} as const;

type Statements = { readonly [Name in keyof typeof SQL]: Database.Statement };

export class Persister {
  readonly #run: Statements;
  readonly #domain: string;
  readonly #historyRowsMax: number;

  /** `domain`: name of the provisioned domain, whose assignments are written. */
  constructor(database: Database.Database, domain: string, historyRowsMax: number) {
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)]);
    this.#run = Object.fromEntries(prepared) as Statements;
    this.#domain = domain;
    this.#historyRowsMax = historyRowsMax;
  }

  apply(effects: readonly StoredEffect[], wallMs: number): void {
    let newest = 0;
    for (const effect of effects) {
      if (effect.type === 'history') newest = this.#history(effect, wallMs);
      else this.#persist(effect, wallMs);
    }
    if (newest > this.#historyRowsMax) this.#run.historyLimit.run(newest - this.#historyRowsMax);
  }

  setState(key: string, value: string): void {
    this.#run.state.run(key, value);
  }

  #history(effect: HistoryEffect, wallMs: number): number {
    const { entity, name, from, to, cause, actor } = effect;
    const reason = effect.reason.slice(0, REASON_CHARACTERS_MAX);
    return Number(
      this.#run.history.run(wallMs, entity, name, from, to, cause, actor, reason).lastInsertRowid,
    );
  }

  #persist(effect: PersistEffect, wallMs: number): void {
    const run = this.#run;
    switch (effect.type) {
      case 'persist.service':
        run.service.run(effect.desired, effect.state, effect.status, effect.condition, effect.service);
        return;
      case 'persist.group':
        run.group.run(effect.desired, effect.state, effect.status, effect.condition, effect.group);
        return;
      case 'persist.managed':
        run.managed.run(effect.service, effect.managed ? 'yes' : 'no', effect.reason, effect.until, wallMs);
        return;
      case 'persist.intent':
        if (effect.ended) run.intentEnded.run(effect.service, effect.run);
        else run.intent.run(effect.service, effect.run, effect.action, wallMs);
        return;
      case 'persist.node':
        this.#node(effect);
        return;
      case 'persist.interface':
        run.interface.run(effect.state, effect.role);
        this.setState(`interface.${effect.role}.reason`, effect.reason);
        return;
      case 'persist.domain':
        run.domain.run(effect.state, effect.designation, effect.leader, effect.number);
        this.setState('settled', effect.settled ? 'yes' : 'no');
        if (effect.settled) run.stateGone.run('joins');
        this.setState('led', effect.led ? 'yes' : 'no');
        return;
      case 'persist.neighbor':
        run.neighbor.run(effect.name, effect.designation, effect.state);
        if (effect.kernelLife !== '') this.setState('peer_kernel_life', effect.kernelLife);
        return;
      case 'persist.assignment':
        this.#assignment(effect);
        return;
      case 'persist.numbers': {
        const { group, held, stopped, max, holder, holderActivation } = effect.numbers;
        run.numbers.run(group, held, stopped, max, holder, holderActivation);
        return;
      }
      case 'persist.operation':
        this.#operation(effect.operation);
        return;
      case 'persist.register':
        this.setState('register', effect.register);
        return;
      case 'persist.off-times':
        this.setState('off_times', effect.text);
        return;
      case 'persist.boot':
        this.#boot(effect.boot);
        return;
      case 'persist.alarm':
        this.#alarm(effect, wallMs);
        return;
      case 'persist.word':
        // Its mark is beside the store.
        return;
      default:
        never(effect, 'effect');
    }
  }

  #node({ node }: Effect<'persist.node'>): void {
    const { name, administrative, operational, availability, ready } = node;
    this.#run.nodeHistory.run(name, administrative, operational, availability, ready);
    this.#run.nodeHistoryLimit.run();
    const uuid = nameUuid(`${this.#domain}/${name}/version ${node.administrativeVersion}`);
    this.#run.node.run(name, administrative, operational, availability, ready, uuid);
    this.#run.nodeFacts.run(node.name, node.administrativeVersion, node.lockedUntil, node.lockReason);
  }

  #assignment({ assignment }: Effect<'persist.assignment'>): void {
    const { node, group, desired, state, status, condition } = assignment;
    const uuid = assignmentUuid(this.#domain, node, group);
    this.#run.assignment.run(uuid, this.#domain, node, group, desired, state, status, condition);
  }

  #operation(operation: Operation): void {
    const { id, kind, node, group, step, actor, why, reason, requestedAt, limitMs } = operation;
    this.#run.operation.run(id, kind, node, group, step, actor, why, reason, requestedAt, limitMs);
    this.#run.operationLimit.run();
  }

  #boot({ wallMs, kernelLife, cause, reason }: Boot): void {
    this.#run.boot.run(wallMs, kernelLife, cause, reason.slice(0, REASON_CHARACTERS_MAX));
    this.#run.bootLimit.run();
  }

  #alarm(effect: Effect<'persist.alarm'>, wallMs: number): void {
    const { id, entity, severity, raised, reason, repair } = effect;
    if (raised) this.#run.alarm.run(id, entity, severity, reason, repair, wallMs);
    else this.#run.alarmCleared.run(id, entity);
  }
}

const assignmentUuids = new Map<string, string>();

/** Both nodes know an assignment by the same one. */
export function assignmentUuid(domain: string, node: string, group: string): string {
  const name = `${domain}/${node}/${group}`;
  let uuid = assignmentUuids.get(name);
  if (uuid === undefined) {
    uuid = nameUuid(name);
    assignmentUuids.set(name, uuid);
  }
  return uuid;
}

/** A name-based UUID (RFC 9562, version 5). The namespace is random, and ours for ever. */
function nameUuid(name: string): string {
  const namespace = Buffer.from('8d0f6d1e5b7c4c53a1f2d0f4b7b6c9a1', 'hex');
  const hash = createHash('sha1').update(namespace).update(name).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
