/** The tables of docs/reference/agents.md, made from what the agents print as their meta-data; a test compares. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../ocf');

interface Parameter {
  readonly name: string;
  readonly required: boolean;
  readonly meaning: string;
  readonly type: string;
  /** Null when the meta-data names none. */
  readonly fallback: string | null;
}

interface Action {
  readonly name: string;
  readonly timeout: string;
  readonly depth: string | null;
}

/** Names of the shipped OCF agents; what is sourced by them or called from them has an ending. */
export function shippedAgents(): readonly string[] {
  return readdirSync(FOLDER)
    .filter((name) => !name.includes('.'))
    .sort();
}

/** The page with each table between `<!-- meta-data: AGENT -->` and `<!-- end -->` made anew. */
export function withTables(page: string): string {
  return page.replaceAll(
    /<!-- meta-data: (\S+) -->\n[\s\S]*?<!-- end -->/g,
    (_, agent: string) => `<!-- meta-data: ${agent} -->\n${tables(agent)}\n<!-- end -->`,
  );
}

function tables(agent: string): string {
  const xml = execFileSync(join(FOLDER, agent), ['meta-data'], { encoding: 'utf8' });
  const rows = parameters(xml).map(
    ({ name, required, meaning, type, fallback }) =>
      `| \`${name}\` | ${type} | ${required ? 'required' : fallback === null ? '' : `\`${fallback}\``} | ${meaning} |`,
  );
  const list = actions(xml)
    .filter(({ name }) => name !== 'meta-data')
    .map(
      ({ name, timeout, depth }) =>
        `${name}${depth === null || depth === '0' ? '' : ` at level ${depth}`} ${timeout}`,
    );
  return [
    '| Parameter | Type | Default | Meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Advised time-outs: ${[...new Set(list)].join(', ')}.`,
  ].join('\n');
}

function parameters(xml: string): Parameter[] {
  return [...xml.matchAll(/<parameter name="([^"]+)" required="([01])"[\s\S]*?<\/parameter>/g)].map(
    ([text, name, required]) => ({
      name: name!,
      required: required === '1',
      meaning: /<longdesc[^>]*>([\s\S]*?)<\/longdesc>/.exec(text)![1]!.trim().replaceAll('|', '\\|'),
      type: attribute(text, 'type') ?? '',
      fallback: attribute(text, 'default') || null,
    }),
  );
}

function actions(xml: string): Action[] {
  return [...xml.matchAll(/<action [^>]*\/>/g)].map(([text]) => ({
    name: attribute(text, 'name')!,
    timeout: attribute(text, 'timeout')!,
    depth: attribute(text, 'depth'),
  }));
}

function attribute(text: string, name: string): string | null {
  return new RegExp(` ${name}="([^"]*)"`).exec(text)?.[1] ?? null;
}
