/** A pair that runs, and what must not change while somebody sends it nonsense. */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { eventually, isGroupActive, type NodeView, SERVICES, type TestNode } from './node.ts';

const LIMIT_MS = 20_000;

export interface Settled {
  readonly active: TestNode;
  readonly standby: TestNode;
}

/** Waits until both agree, every group on both nodes is active there, and `app` on one. */
export async function settled(pair: readonly TestNode[]): Promise<Settled> {
  for (const node of pair) {
    await node.until(
      'both nodes agree',
      LIMIT_MS,
      (view) => view.peer?.exchanged === true && isGroupActive(view, 'everywhere'),
    );
  }
  const active = await eventually('one node is active', LIMIT_MS, async () => {
    for (const node of pair) {
      const view = await node.view();
      if (view !== null && isGroupActive(view)) return node;
    }
    return null;
  });
  const standby = pair.find((node) => node !== active);
  if (standby === undefined) throw new Error('a pair has two nodes');
  await standby.until('it is standby', LIMIT_MS, (view) =>
    view.groups.some(({ name, state }) => name === 'app' && state === 'standby'),
  );
  return { active, standby };
}

export interface EventRow {
  readonly WALL_MS: number;
  readonly ENTITY: string;
  readonly NAME: string;
  readonly FROM_STATE: string;
  readonly TO_STATE: string;
  readonly CAUSE: string;
  readonly REASON: string;
}

/** SM_EVENTS as any tool would read them, oldest first. */
export function eventsOf(node: TestNode): EventRow[] {
  const database = new Database(join(node.directory, 'sm.db'), { readonly: true, timeout: 2000 });
  try {
    return database.prepare('SELECT * FROM SM_EVENTS ORDER BY ID').all() as EventRow[];
  } finally {
    database.close();
  }
}

/** All that stays as it is in a pair that nothing happens to. */
export async function stateOf(node: TestNode): Promise<object> {
  const view = (await node.view()) as NodeView;
  const services = [...SERVICES, 'everywhere'];
  return {
    domain: view.domain,
    numbers: view.numbers,
    links: view.links,
    peer: view.peer,
    nodes: view.nodes,
    groups: view.groups,
    services: view.services,
    alarms: view.alarms,
    operations: view.operations,
    lost: view.shell.watchdog?.guard.lost,
    smStarts: view.shell.watchdog?.smStarts,
    pids: services.map((service) => node.pid(service)),
    journals: services.map((service) => node.journal(service)),
    events: eventsOf(node).length,
  };
}
