/**
 * The resources that StarlingX's clients read: rows of the database with the names and in the order of its REST API v1,
 * and one way to list them. Source: docs/reference/api.md.
 */
import type { Row, Rows } from '../shell/store/live-reader.ts';
import { problem } from './problem.ts';

export type Item = Readonly<Record<string, string | number>>;

export interface Resource {
  /** `/v1/<name>`, and the member of a list. */
  readonly name: string;
  readonly what: string;
  readonly table: string;
  /** Member of an item -> column, in the order in which they are sent. */
  readonly members: Readonly<Record<string, string>>;
  /** Members that name one item in a path or a marker; the last one of them is the marker that `next` has. */
  readonly keys: readonly string[];
}

const ASSIGNMENT: Omit<Resource, 'name'> = {
  what: 'service group assignment',
  table: 'SERVICE_DOMAIN_ASSIGNMENTS',
  members: {
    id: 'ID',
    uuid: 'UUID',
    name: 'NAME',
    node_name: 'NODE_NAME',
    service_group_name: 'SERVICE_GROUP_NAME',
    state: 'STATE',
    desired_state: 'DESIRED_STATE',
    status: 'STATUS',
    condition: 'CONDITION',
  },
  keys: ['id', 'uuid'],
};

export const NODES: Resource = {
  name: 'nodes',
  what: 'node',
  table: 'NODES',
  members: {
    id: 'ID',
    name: 'NAME',
    administrative_state: 'ADMINISTRATIVE_STATE',
    operational_state: 'OPERATIONAL_STATE',
    availability_status: 'AVAILABILITY_STATUS',
    ready_state: 'READY_STATE',
  },
  keys: ['id', 'name'],
};

export const SERVICES: Resource = {
  name: 'services',
  what: 'service',
  table: 'SERVICES',
  members: { id: 'ID', name: 'NAME', desired_state: 'DESIRED_STATE', state: 'STATE', status: 'STATUS' },
  keys: ['id', 'name'],
};

export const RESOURCES: readonly Resource[] = [
  NODES,
  { name: 'service_groups', ...ASSIGNMENT },
  SERVICES,
  { name: 'sm_sda', ...ASSIGNMENT },
];

/** Names that StarlingX's documentation has and its program lacks, with the member that a list then has. */
export const ALIASES: readonly { readonly path: string; readonly of: string; readonly member: string }[] = [
  { path: 'servicegroup', of: 'service_groups', member: 'sm_servicegroup' },
  { path: 'servicenodes', of: 'nodes', member: 'nodes' },
];

export const PAGE_MAX = 1000;

export interface Paging {
  readonly limit?: string;
  readonly marker?: string;
  readonly sort_key?: string;
  readonly sort_dir?: string;
}

export interface Page {
  readonly items: readonly Item[];
  /** Query of the next page; '' = this is the last one. */
  readonly next: string;
}

export function itemsOf(resource: Resource, rows: Rows): Item[] {
  return rows.all(resource.table).map((row) => itemOf(resource, row));
}

function itemOf({ members }: Resource, row: Row): Item {
  return Object.fromEntries(Object.entries(members).map(([member, column]) => [member, row[column] ?? '']));
}

/** Throws `SM_API_NOT_FOUND`. */
export function findItem(resource: Resource, items: readonly Item[], key: string): Item {
  // A name may look like a number: ids are compared first, as StarlingX does.
  for (const member of resource.keys) {
    const found = items.find((item) => String(item[member]) === key);
    if (found !== undefined) return found;
  }
  throw problem('SM_API_NOT_FOUND', { what: resource.what, name: JSON.stringify(key.slice(0, 64)) });
}

/** Throws `SM_API_INPUT`, and `SM_API_NOT_FOUND` for a marker that names nothing. */
export function page(resource: Resource, items: readonly Item[], query: Paging): Page {
  const { sort_key: key = 'name', sort_dir: direction = 'asc', marker } = query;
  const limit = limitOf(query.limit);
  if (!Object.hasOwn(resource.members, key)) {
    const known = Object.keys(resource.members).join(', ');
    throw problem('SM_API_INPUT', { place: 'sort_key', detail: `it must be one of ${known}` });
  }
  if (direction !== 'asc' && direction !== 'desc')
    throw problem('SM_API_INPUT', { place: 'sort_dir', detail: 'it must be asc or desc' });
  const sign = direction === 'asc' ? 1 : -1;
  const sorted = [...items].sort((a, b) => sign * compare(a[key], b[key]) || compare(a.id, b.id));
  const from = marker === undefined ? 0 : sorted.indexOf(findItem(resource, sorted, marker)) + 1;
  const part = sorted.slice(from, from + limit);
  const last = part.at(-1);
  if (query.limit === undefined || last === undefined || from + part.length >= sorted.length)
    return { items: part, next: '' };
  const next = new URLSearchParams({ sort_key: key, sort_dir: direction, limit: String(limit) });
  next.set('marker', String(last[resource.keys.at(-1) ?? 'id']));
  return { items: part, next: next.toString() };
}

function compare(a: string | number | undefined, b: string | number | undefined): number {
  if (a === b || a === undefined || b === undefined) return 0;
  return a < b ? -1 : 1;
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return PAGE_MAX;
  if (!/^[0-9]{1,9}$/.test(text))
    throw problem('SM_API_INPUT', {
      place: 'limit',
      detail: 'it must be a whole number that is not negative',
    });
  const limit = Number(text);
  return limit === 0 ? PAGE_MAX : Math.min(limit, PAGE_MAX);
}
