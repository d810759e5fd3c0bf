/**
 * Questions about the graph of dependencies: cycles, and whether one service is reached from another. Pure.
 * An edge goes from the service that waits to the service that it waits for.
 */

export type Graph = ReadonlyMap<string, readonly string[]>;

export interface Edge {
  readonly from: string;
  readonly to: string;
}

export function graphOf(edges: Iterable<Edge>): Graph {
  const graph = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const list = graph.get(from);
    if (list === undefined) graph.set(from, [to]);
    else list.push(to);
  }
  return graph;
}

/**
 * Every cycle that a depth-first walk closes, as the names on it, first name not repeated. A graph without cycles gives
 * none; one with cycles gives at least one for each of its knots. Names are walked in the order of the graph.
 */
export function findCycles(graph: Graph): readonly (readonly string[])[] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const place = new Map<string, number>();

  const visit = (name: string): void => {
    if (done.has(name)) return;
    const start = place.get(name);
    if (start !== undefined) {
      cycles.push(path.slice(start));
      return;
    }
    place.set(name, path.length);
    path.push(name);
    for (const next of graph.get(name) ?? []) visit(next);
    path.pop();
    place.delete(name);
    done.add(name);
  };

  for (const name of graph.keys()) visit(name);
  return cycles;
}

/** True where a walk along the edges leads from `from` to `to`. A service does not reach itself but by a cycle. */
export function reaches(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>();
  const open = [...(graph.get(from) ?? [])];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === to) return true;
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(graph.get(name) ?? []));
  }
  return false;
}
