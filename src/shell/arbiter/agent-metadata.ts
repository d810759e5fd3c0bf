/**
 * What a fence agent says of itself: its parameters and actions. The text comes from a program that anybody may have put
 * there: bounded, and only names are taken. Source: ClusterLabs' fence agent API, "fence agent metadata".
 */

export interface AgentMetadata {
  /** `port` = the default of a parameter that is a number, as ports are; 0 = it has none. */
  readonly parameters: ReadonlyMap<string, { readonly required: boolean; readonly port: number }>;
  readonly actions: ReadonlySet<string>;
}

const TEXT_CHARACTERS_MAX = 512 * 1024;
const NAMES_MAX = 1000;
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** null = it is no metadata. */
export function readMetadata(text: string): AgentMetadata | null {
  if (text.length > TEXT_CHARACTERS_MAX || !/<resource-agent[\s>]/.test(text)) return null;
  const parameters = new Map<string, { readonly required: boolean; readonly port: number }>();
  const actions = new Set<string>();
  let last = '';
  for (const [, tag = '', attributes = ''] of withoutComments(text).matchAll(
    /<(parameter|action|content)\s([^<>]*)>/g,
  )) {
    if (parameters.size + actions.size >= NAMES_MAX) return null;
    if (tag === 'content') {
      const parameter = parameters.get(last);
      if (parameter !== undefined) parameters.set(last, { ...parameter, port: portOf(attributes) });
      continue;
    }
    const name = attribute(attributes, 'name');
    if (!NAME.test(name)) continue;
    if (tag === 'action') actions.add(name);
    else {
      parameters.set(name, { required: attribute(attributes, 'required') === '1', port: 0 });
      last = name;
    }
  }
  return parameters.size + actions.size === 0 ? null : { parameters, actions };
}

/** Comments may hold anything, tags too. One without an end hides the rest, and is not looked for again. */
function withoutComments(text: string): string {
  const kept: string[] = [];
  for (let from = 0; from < text.length; ) {
    const begin = text.indexOf('<!--', from);
    kept.push(text.slice(from, begin < 0 ? text.length : begin));
    const end = begin < 0 ? -1 : text.indexOf('-->', begin + 4);
    if (end < 0) break;
    from = end + 3;
  }
  return kept.join('');
}

function portOf(attributes: string): number {
  const port = Number(attribute(attributes, 'default'));
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 0;
}

function attribute(attributes: string, name: string): string {
  return (
    new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes)?.slice(1).find(Boolean) ??
    ''
  );
}

/** What is wrong with the parameters of a device, as sentences. */
export function parameterFaults(metadata: AgentMetadata, given: readonly string[]): string[] {
  const unknown = given.filter((name) => !metadata.parameters.has(name));
  const faults = unknown.map((name) => `the agent has no parameter ${name}`);
  for (const action of ['off', 'status'] as const) {
    const offered = metadata.actions.has(action) || (action === 'status' && metadata.actions.has('monitor'));
    if (!offered) faults.push(`the agent has no action ${action}`);
  }
  return faults;
}
