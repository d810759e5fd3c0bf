/** What a starting engine finds, and the clean-up that comes before it. */
import type Database from 'better-sqlite3';
import type { Boot, GroupNumbers, NodeRow, Restored } from '../../core/engine-interface.ts';
import type { Operation } from '../../core/link/types.ts';

/**
 * Run-time facts of the former start that can not be true any more. What was wanted survives a restart of `sm`, and is
 * void after a restart of the kernel: nothing of it runs then, and the other node may have taken it (SAFETY.md, rule 7).
 */
export function cleanUp(database: Database.Database, node: string, newKernelLife: boolean): void {
  database.prepare("UPDATE NODES SET READY_STATE = 'disabled' WHERE NAME = ?").run(node);
  database.exec(`
    UPDATE SERVICE_DOMAIN_INTERFACES SET INTERFACE_STATE = 'unknown', INTERFACE_NAME = '';
    UPDATE SERVICE_DOMAINS SET DESIGNATION = 'unknown', STATE = 'initial', LEADER = '';
    UPDATE SERVICE_DOMAIN_NEIGHBORS SET STATE = 'down', DESIGNATION = 'unknown';
    UPDATE SERVICE_GROUPS SET STATE = 'initial', STATUS = '', CONDITION = '';
    UPDATE SERVICES SET STATE = 'initial', STATUS = '', CONDITION = '';
    UPDATE SERVICE_HEARTBEAT SET MISSED = 0, HEARTBEAT_TIMER_ID = 0, HEARTBEAT_SOCKET = -1;
    DELETE FROM SM_ALARMS;
  `);
  if (!newKernelLife) return;
  database.exec(`
    UPDATE SERVICE_DOMAIN_ASSIGNMENTS SET DESIRED_STATE = 'disabled', STATE = 'disabled', STATUS = '', CONDITION = '';
    UPDATE SERVICE_GROUPS SET DESIRED_STATE = 'initial';
    UPDATE SERVICES SET DESIRED_STATE = 'initial';
    DELETE FROM SM_INTENTS;
    INSERT OR REPLACE INTO SM_STATE (KEY, VALUE) VALUES ('settled', 'no'), ('led', 'no');
  `);
}

export function readState(database: Database.Database, key: string): string {
  return (database.prepare('SELECT VALUE FROM SM_STATE WHERE KEY = ?').pluck().get(key) as string) ?? '';
}

export function readRestored(database: Database.Database): Restored {
  const all = <T>(sql: string): T[] => database.prepare(sql).all() as T[];
  const number = database
    .prepare("SELECT GENERATION FROM SERVICE_DOMAINS WHERE PROVISIONED = 'yes'")
    .pluck()
    .get();
  return {
    number: (number as number | undefined) ?? 0,
    settled: readState(database, 'settled') === 'yes',
    led: readState(database, 'led') === 'yes',
    joins: readState(database, 'joins') === 'yes',
    kernelLife: readState(database, 'kernel_life'),
    peerKernelLife: readState(database, 'peer_kernel_life'),
    register: readState(database, 'register'),
    offTimes: readState(database, 'off_times'),
    nodes: all<NodeRow>(`
      SELECT N.NAME AS name, ADMINISTRATIVE_STATE AS administrative, OPERATIONAL_STATE AS operational,
        AVAILABILITY_STATUS AS availability, READY_STATE AS ready,
        coalesce(ADMINISTRATIVE_VERSION, 0) AS administrativeVersion, coalesce(LOCKED_UNTIL, 0) AS lockedUntil,
        coalesce(LOCK_REASON, '') AS lockReason
      FROM NODES AS N LEFT JOIN SM_NODE_FACTS ON NODE_NAME = N.NAME ORDER BY N.ID`),
    numbers: all<GroupNumbers>(`
      SELECT SERVICE_GROUP_NAME AS "group", HELD AS held, STOPPED AS stopped, HIGHEST AS max, HOLDER AS holder,
        HOLDER_ACTIVATION AS holderActivation
      FROM SM_GROUP_NUMBERS ORDER BY SERVICE_GROUP_NAME`),
    operations: all<Operation>(`
      SELECT OPERATION AS id, KIND AS kind, NODE_NAME AS node, SERVICE_GROUP_NAME AS "group", STEP AS step,
        ACTOR AS actor, WHY AS why, REASON AS reason, REQUESTED_AT AS requestedAt, LIMIT_MS AS limitMs
      FROM SM_OPERATIONS ORDER BY REQUESTED_AT, OPERATION`),
    groups: all(`SELECT NAME AS "group", DESIRED_STATE AS desired FROM SERVICE_GROUPS
      WHERE DESIRED_STATE IN ('initial', 'active', 'standby', 'disabled') ORDER BY ID`),
    services: all<{
      service: string;
      desired: Restored['services'][number]['desired'];
      managed: string;
      managedUntil: number;
    }>(`
      SELECT S.NAME AS service, coalesce(MANAGED, 'yes') AS managed, coalesce(MANAGED_AGAIN_AT, 0) AS managedUntil,
        coalesce(REASON, '') AS managedReason,
        CASE WHEN DESIRED_STATE IN ('enabled-active', 'enabled-standby', 'disabled') THEN DESIRED_STATE ELSE 'initial'
        END AS desired
      FROM SERVICES AS S LEFT JOIN SM_MANAGED ON SERVICE_NAME = S.NAME ORDER BY S.ID`).map((row) => ({
      ...row,
      managed: row.managed === 'yes',
    })),
    boots: all<Boot>(`SELECT KERNEL_LIFE AS kernelLife, WALL_MS AS wallMs, CAUSE AS cause, REASON AS reason
      FROM SM_BOOTS ORDER BY ID`),
    intents: all('SELECT RUN AS run, SERVICE_NAME AS service, ACTION AS action FROM SM_INTENTS ORDER BY RUN'),
  };
}
