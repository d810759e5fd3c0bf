/**
 * The state of the database for tools: a connection that can not write, to a file that `sm` may be writing. It also
 * reads StarlingX's own databases, which lack our tables.
 */
import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { failure, type Result } from '../../core/kernel/errors.ts';
import { LIMITS } from '../../core/kernel/limits.ts';
import type { NodeHistory } from '../../core/story/events.ts';
import type { LeftAlone } from '../../core/view.ts';
import { openError } from './open.ts';

/** How long a tool waits for a writer, ms. */
const BUSY_MS = 2000;

/** A provisioned group as this node sees it. */
export interface GroupState {
  readonly name: string;
  readonly desired: string;
  readonly state: string;
  readonly status: string;
  readonly condition: string;
}

/** A provisioned service that is in a group; one in two groups comes twice. */
export interface ServiceState extends GroupState {
  readonly group: string;
  readonly impact: string;
  readonly pidFile: string;
}

export interface StoredNode {
  readonly name: string;
  readonly administrative: string;
  readonly operational: string;
  readonly availability: string;
  readonly ready: string;
  readonly lockedUntil: number;
  readonly lockReason: string;
}

export interface StoredAssignment extends GroupState {
  readonly node: string;
}

export interface StoredLink {
  readonly role: string;
  readonly state: string;
}

export interface StoredOperation {
  readonly id: string;
  readonly kind: string;
  readonly node: string;
  readonly group: string;
  readonly step: string;
  readonly actor: string;
  readonly why: string;
  readonly reason: string;
  readonly requestedAt: number;
}

export interface StoredAlarm {
  readonly id: string;
  readonly entity: string;
  readonly severity: string;
  readonly reason: string;
  readonly repair: string;
  readonly raisedAt: number;
}

export interface StoredDomain {
  readonly name: string;
  readonly state: string;
  readonly leader: string;
  readonly number: number;
  readonly policy: string;
}

export interface StoredEvent {
  readonly id: number;
  readonly wallMs: number;
  readonly entity: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly actor: string;
  readonly reason: string;
}

export interface EventFilter {
  /** Wall-clock ms; events before it are left out. */
  readonly sinceMs?: number;
  /** `node`, `group`... or the name of one thing. */
  readonly entity?: string;
  /** Only events with a greater id: how to go on. */
  readonly afterId?: number;
  /** The newest so many. */
  readonly limit: number;
}

export interface StoredHistory extends NodeHistory {
  /** Nodes of the domain. */
  readonly nodes: number;
}

export class StateReader {
  readonly #database: Database.Database;

  /**
   * What `work` reads, all of it from one commit. Errors: `SM_STORE_MISSING`, `SM_STORE_OPEN`, `SM_STORE_FOREIGN`,
   * `SM_STORE_NOT_A_DATABASE`, `SM_STORE_CORRUPT`, `SM_STORE_LOCKED`.
   */
  static read<T>(path: string, work: (reader: StateReader) => T): Result<T> {
    if (!existsSync(path)) return failure('SM_STORE_MISSING', { path });
    let database: Database.Database | undefined;
    try {
      database = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
      const reader = new StateReader(database);
      if (!reader.#has('SERVICES'))
        return failure('SM_STORE_FOREIGN', { path, detail: 'it has no table SERVICES' });
      return { ok: true, value: database.transaction(() => work(reader))() };
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      return { ok: false, error: openError(path, error) };
    } finally {
      database?.close();
    }
  }

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  groups(): GroupState[] {
    return this.#all<GroupState>(
      `SELECT NAME AS name, DESIRED_STATE AS desired, STATE AS state, STATUS AS status, CONDITION AS condition
       FROM SERVICE_GROUPS WHERE PROVISIONED = 'yes' ORDER BY ID`,
    );
  }

  services(): ServiceState[] {
    return this.#all<ServiceState>(
      `SELECT s.NAME AS name, s.DESIRED_STATE AS desired, s.STATE AS state, s.STATUS AS status,
              s.CONDITION AS condition, m.NAME AS "group", m.SERVICE_FAILURE_IMPACT AS impact, s.PID_FILE AS pidFile
       FROM SERVICES s JOIN SERVICE_GROUP_MEMBERS m ON m.SERVICE_NAME = s.NAME
       WHERE s.PROVISIONED = 'yes' ORDER BY s.ID, m.ID`,
    );
  }

  /** Any service, provisioned or not. */
  service(name: string): GroupState | undefined {
    return this.#all<GroupState>(
      `SELECT NAME AS name, DESIRED_STATE AS desired, STATE AS state, STATUS AS status, CONDITION AS condition
       FROM SERVICES WHERE NAME = ?`,
      name,
    )[0];
  }

  nodes(): StoredNode[] {
    const facts = this.#has('SM_NODE_FACTS');
    return this.#all<StoredNode>(
      `SELECT n.NAME AS name, n.ADMINISTRATIVE_STATE AS administrative, n.OPERATIONAL_STATE AS operational,
              n.AVAILABILITY_STATUS AS availability, n.READY_STATE AS ready,
              ${facts ? 'coalesce(f.LOCKED_UNTIL, 0)' : '0'} AS lockedUntil,
              ${facts ? "coalesce(f.LOCK_REASON, '')" : "''"} AS lockReason
       FROM NODES n ${facts ? 'LEFT JOIN SM_NODE_FACTS f ON f.NODE_NAME = n.NAME' : ''} ORDER BY n.NAME`,
    );
  }

  assignments(): StoredAssignment[] {
    return this.#all<StoredAssignment>(
      `SELECT NODE_NAME AS node, SERVICE_GROUP_NAME AS name, DESIRED_STATE AS desired, STATE AS state,
              STATUS AS status, CONDITION AS condition
       FROM SERVICE_DOMAIN_ASSIGNMENTS ORDER BY ID`,
    );
  }

  links(): StoredLink[] {
    return this.#all<StoredLink>(
      `SELECT SERVICE_DOMAIN_INTERFACE AS role, INTERFACE_STATE AS state
       FROM SERVICE_DOMAIN_INTERFACES WHERE PROVISIONED = 'yes' ORDER BY ID`,
    );
  }

  domain(): StoredDomain | undefined {
    const safety = this.#has('SM_DOMAIN_SAFETY');
    return this.#all<StoredDomain>(
      `SELECT d.NAME AS name, d.STATE AS state, d.LEADER AS leader, d.GENERATION AS number,
              ${safety ? "coalesce(s.SILENCE_POLICY, '')" : "''"} AS policy
       FROM SERVICE_DOMAINS d ${safety ? 'LEFT JOIN SM_DOMAIN_SAFETY s ON s.SERVICE_DOMAIN = d.NAME' : ''}
       WHERE d.PROVISIONED = 'yes' ORDER BY d.ID`,
    )[0];
  }

  /** Newest first. */
  operations(): StoredOperation[] {
    if (!this.#has('SM_OPERATIONS')) return [];
    return this.#all<StoredOperation>(
      `SELECT OPERATION AS id, KIND AS kind, NODE_NAME AS node, SERVICE_GROUP_NAME AS "group", STEP AS step,
              ACTOR AS actor, WHY AS why, REASON AS reason, REQUESTED_AT AS requestedAt
       FROM SM_OPERATIONS ORDER BY REQUESTED_AT DESC`,
    );
  }

  alone(): LeftAlone[] {
    if (!this.#has('SM_MANAGED')) return [];
    return this.#all<LeftAlone>(
      `SELECT SERVICE_NAME AS service, REASON AS reason, MANAGED_AGAIN_AT AS until
       FROM SM_MANAGED WHERE MANAGED = 'no' ORDER BY SERVICE_NAME`,
    );
  }

  alarms(): StoredAlarm[] {
    if (!this.#has('SM_ALARMS')) return [];
    return this.#all<StoredAlarm>(
      `SELECT ALARM AS id, ENTITY AS entity, SEVERITY AS severity, REASON AS reason, REPAIR AS repair,
              RAISED_AT AS raisedAt
       FROM SM_ALARMS ORDER BY RAISED_AT`,
    );
  }

  /** The newest that match, oldest of them first. */
  events(filter: EventFilter): StoredEvent[] {
    if (!this.#has('SM_EVENTS')) return [];
    const { sinceMs = 0, afterId = 0, entity = '', limit } = filter;
    return this.#all<StoredEvent>(
      `SELECT ID AS id, WALL_MS AS wallMs, ENTITY AS entity, NAME AS name, FROM_STATE AS "from", TO_STATE AS "to",
              CAUSE AS cause, ACTOR AS actor, REASON AS reason
       FROM SM_EVENTS
       WHERE WALL_MS >= :sinceMs AND ID > :afterId AND (:entity = '' OR ENTITY = :entity OR NAME = :entity)
       ORDER BY ID DESC LIMIT :limit`,
      { sinceMs, afterId, entity, limit },
    ).reverse();
  }

  /** What was told since ever, as far as it is kept, for the story of a time. `fallback`: a name for the node. */
  history(fallback: string): StoredHistory {
    const events = this.events({ limit: LIMITS.historyRowsMax });
    const told = events.findLast(({ cause }) => cause === 'node-ready')?.name;
    const node = this.#stateOf('node') || told || fallback;
    const members = this.services().map(({ name, group }) => [name, group] as const);
    return {
      node,
      nodes: Math.max(
        1,
        this.#has('SM_DOMAIN_NODES') ? this.#all('SELECT 1 FROM SM_DOMAIN_NODES').length : 1,
      ),
      events: events.map((event) => ({ ...event, node })),
      members: new Map(members),
    };
  }

  #stateOf(key: string): string {
    if (!this.#has('SM_STATE')) return '';
    return (
      this.#all<{ value: string }>('SELECT VALUE AS value FROM SM_STATE WHERE KEY = ?', key)[0]?.value ?? ''
    );
  }

  #has(table: string): boolean {
    return (
      this.#all("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND upper(name) = ?", table).length > 0
    );
  }

  #all<Row>(sql: string, ...values: readonly unknown[]): Row[] {
    return this.#database.prepare(sql).all(...values) as Row[];
  }
}
