/** A pair of real daemons with StarlingX's own definitions, as shipped and with everything provisioned. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DefinitionSet } from '../../../src/core/definitions/model.ts';
import { explain } from '../../../src/core/explain.ts';
import { buildPrograms } from '../pair/build.ts';
import { destroyAll, eventually, type NodeView, TestNode } from '../pair/node.ts';
import { judge } from './order.ts';
import { definitionSet, notePowerOff, starlingxSite, stepsOf } from './site.ts';

/** For every single thing that is waited for, on a machine that has much else to do. */
const LIMIT_MS = 40_000;
/** Third byte of the addresses; other tests use lower ones. */
const BASE = 50;
const CEPH_OSD = [
  'ceph-osd',
  'waits for ceph-mon to be enabled-active on this node: it is enabled-standby here',
] as const;

let programs: ReturnType<typeof buildPrograms>;
const nodes: TestNode[] = [];

beforeAll(() => {
  programs = buildPrograms();
});

afterEach(async () => {
  await destroyAll(nodes);
});

afterAll(() => rmSync(programs.root, { recursive: true, force: true }));

/** What the node is to all exclusive groups together, once everything else runs too, or waits for ceph-mon. */
function roleOf(view: NodeView, set: DefinitionSet): 'active' | 'standby' | null {
  const isExclusive = ({ name }: { name: string }) => set.groups.get(name)?.exclusive === true;
  const unfinished = view.groups.filter((group) => !isExclusive(group) && group.state !== 'active');
  const waits = view.waits.filter(({ entity }) => entity === 'service');
  const excused = waits.every(({ name, reason }) => name === CEPH_OSD[0] && reason === CEPH_OSD[1]);
  if (!excused || waits.length !== unfinished.length) return null;
  const [state, ...others] = new Set(view.groups.filter(isExclusive).map((group) => group.state));
  return others.length === 0 && (state === 'active' || state === 'standby') ? state : null;
}

interface Settled {
  readonly active: TestNode;
  readonly standby: TestNode;
}

async function settled(pair: readonly TestNode[], set: DefinitionSet, not?: TestNode): Promise<Settled> {
  const roles = new Map<string | null, TestNode>();
  try {
    return await eventually('both nodes have settled', LIMIT_MS, async () => {
      roles.clear();
      for (const node of pair) {
        const view = await node.view();
        if (view !== null) roles.set(roleOf(view, set), node);
      }
      const active = roles.get('active');
      const standby = roles.get('standby');
      return active === undefined || standby === undefined || active === not ? null : { active, standby };
    });
  } catch (error) {
    // Tells what it hangs on.
    for (const node of pair) await node.until('settled', 0, (view) => roleOf(view, set) !== null);
    throw error;
  }
}

function rowText({ service, action, dependent }: DefinitionSet['dependencies'][number]): string {
  return `${service} ${action} ${dependent}`;
}

describe.each([
  ['as shipped', false, 7, 32, []],
  // Where standby is wanted nobody is waited for, and the journal does not tell what is wanted.
  ['with everything provisioned', true, 10, 92, ['dbmon enable docker-distribution']],
] as const)('StarlingX %s', (_name, everything, groups, services, unchecked) => {
  it('settles, swacts, is taken over, hands over, in the order of every row', {
    timeout: 5 * LIMIT_MS,
  }, async () => {
    const journal = join(programs.root, `journal-${services}`);
    const site = starlingxSite(journal, everything);
    const pair = ([0, 1] as const).map((index) =>
      TestNode.make(programs.root, programs.dist, index, BASE + groups, 800, site),
    );
    nodes.push(...pair);
    const set = definitionSet(join(nodes[0]?.directory ?? '', 'definitions'));
    expect([set.groups.size, set.services.size]).toEqual([groups, services]);
    const isActive = (view: NodeView) => roleOf(view, set) === 'active';
    let since = performance.now();
    const lap = (what: string) => {
      console.log(`${services} services, ${what}: ${Math.round(performance.now() - since)} ms`);
      since = performance.now();
    };

    for (const node of pair) node.start();
    const first = await settled(pair, set);
    lap('started until settled');
    const seen = (await first.standby.view()) as NodeView;
    const waits = seen.waits.filter(({ entity }) => entity === 'service');
    expect(waits.map(({ name, reason }) => [name, reason])).toEqual(everything ? [CEPH_OSD] : []);
    if (everything) {
      expect(explain(seen, 'service', CEPH_OSD[0], Date.now()).join('\n')).toContain(CEPH_OSD[1]);
      expect(explain(seen, 'group', 'storage-services', Date.now()).join('\n')).toContain(CEPH_OSD[1]);
    }
    for (const node of pair) {
      // storage-services waits for ceph-mon on the standby: after some patience it has no redundancy.
      const known = ['no-arbiter-takeover', ...(everything ? ['400.002'] : [])];
      const { groups } = await node.until(
        `its alarms are ${known.join(', ')}`,
        LIMIT_MS,
        ({ alarms }) => alarms.map(({ id }) => id).join() === known.join(),
      );
      expect(groups.filter(({ status }) => status !== '')).toEqual([]);
    }

    const command = { kind: 'swact', node: first.active.name, group: '', why: 'test', forMs: 0 };
    since = performance.now();
    expect(await first.active.request('command', { actor: 'test', command })).toMatchObject({ ok: true });
    const second = await settled(pair, set, first.active);
    lap('swact until settled');

    await second.active.cut();
    notePowerOff(journal, second.active.name);
    lap('power off');
    await second.standby.until('it is active', LIMIT_MS, isActive);
    lap('until taken over');
    second.active.boot();
    const third = await settled(pair, set);
    lap('power on until settled');

    third.active.terminate();
    expect(await third.active.exit).toBe(0);
    lap('ended in order');
    await third.standby.until('it is active', LIMIT_MS, isActive);
    lap('until handed over');

    const { checked, violations, left } = judge(set, stepsOf(journal));
    expect(violations).toEqual([]);
    expect(left.filter(({ node }) => node === third.active.name)).toEqual([]);
    expect(set.dependencies.filter((row) => !checked.has(row)).map(rowText)).toEqual(unchecked);
  });
});
