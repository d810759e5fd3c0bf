/**
 * Which groups have to be on one node, and in which order the plan looks at them: a group comes after those that it may
 * only be active beside (ACTIVE_ONLY_IF_ACTIVE).
 */
import type { GroupDefinition } from '../definitions/model.ts';

export type Unit = readonly GroupDefinition[];

/**
 * Groups that stay together: those of one aggregate, and an exclusive group with the exclusive one that it needs. Every
 * other group is a unit of its own. Units that need each other in a circle are left in table order.
 */
export function unitsOf(groups: ReadonlyMap<string, GroupDefinition>): Unit[] {
  const units = together(groups);
  const unitOf = new Map(units.flatMap((unit) => unit.map((group) => [group.name, unit] as const)));
  const ordered: Unit[] = [];
  const entered = new Set<Unit>();
  const visit = (unit: Unit) => {
    if (entered.has(unit)) return;
    entered.add(unit);
    for (const { activeOnlyIfActive } of unit) {
      const needed = unitOf.get(activeOnlyIfActive);
      if (needed !== undefined) visit(needed);
    }
    ordered.push(unit);
  };
  for (const unit of units) visit(unit);
  return ordered;
}

function together(groups: ReadonlyMap<string, GroupDefinition>): Unit[] {
  const parent = new Map<string, string>();
  const root = (name: string): string => {
    const up = parent.get(name);
    return up === undefined ? name : root(up);
  };
  const join = (a: string, b: string) => {
    const [rootA, rootB] = [root(a), root(b)];
    if (rootA !== rootB) parent.set(rootB, rootA);
  };
  const firstOf = new Map<string, string>();
  for (const { name, aggregate, exclusive, activeOnlyIfActive } of groups.values()) {
    if (!exclusive) continue;
    if (aggregate !== '') {
      join(firstOf.get(aggregate) ?? name, name);
      firstOf.set(aggregate, firstOf.get(aggregate) ?? name);
    }
    if (groups.get(activeOnlyIfActive)?.exclusive === true) join(activeOnlyIfActive, name);
  }
  const units = new Map<string, GroupDefinition[]>();
  for (const group of groups.values()) {
    const key = root(group.name);
    units.set(key, [...(units.get(key) ?? []), group]);
  }
  return [...units.values()];
}
