/** The history of this node, as its database keeps it: every change of state with cause, actor and reason. */
import type { Row, Rows } from '../shell/store/live-reader.ts';

export interface Change {
  readonly id: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly entity: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  readonly actor: string;
  readonly reason: string;
}

export interface ChangeFilter {
  /** A kind or a name. */
  readonly about?: string | undefined;
  readonly entity?: string | undefined;
  readonly name?: string | undefined;
  /** Wall-clock ms. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly afterId?: number | undefined;
  readonly limit: number;
}

function changeOf(row: Row): Change {
  return {
    id: Number(row.ID),
    time: new Date(Number(row.WALL_MS)).toISOString(),
    entity: String(row.ENTITY),
    name: String(row.NAME),
    from: String(row.FROM_STATE),
    to: String(row.TO_STATE),
    cause: String(row.CAUSE),
    actor: String(row.ACTOR),
    reason: String(row.REASON),
  };
}

export function newestChange(rows: Rows): number {
  return Number(rows.query('SELECT coalesce(max(ID), 0) AS id FROM SM_EVENTS')[0]?.id ?? 0);
}

export function changesAfter(rows: Rows, afterId: number, limit: number): readonly Change[] {
  return rows.query('SELECT * FROM SM_EVENTS WHERE ID > ? ORDER BY ID LIMIT ?', afterId, limit).map(changeOf);
}

/**
 * The changes that match, oldest first: the newest `limit` of them, or, after an id, the next `limit`. `more` = there are
 * others.
 */
export function findChanges(rows: Rows, filter: ChangeFilter): { changes: readonly Change[]; more: boolean } {
  const {
    about = '',
    entity = '',
    name = '',
    sinceMs = 0,
    untilMs = Number.MAX_SAFE_INTEGER,
    afterId,
    limit,
  } = filter;
  const order = afterId === undefined ? 'DESC' : 'ASC';
  const found = rows.query(
    `SELECT * FROM SM_EVENTS
     WHERE ID > :afterId AND WALL_MS BETWEEN :sinceMs AND :untilMs
       AND (:about = '' OR ENTITY = :about OR NAME = :about)
       AND (:entity = '' OR ENTITY = :entity) AND (:name = '' OR NAME = :name)
     ORDER BY ID ${order} LIMIT :limit`,
    { afterId: afterId ?? 0, sinceMs, untilMs, about, entity, name, limit: limit + 1 },
  );
  const changes = found.slice(0, limit).map(changeOf);
  return { changes: order === 'DESC' ? changes.reverse() : changes, more: found.length > limit };
}
