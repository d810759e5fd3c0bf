/** What comes before either process can work: the store opened, filled at a first start, and its definitions checked. */
import { type BuildResult, buildDefinitions } from '../core/definitions/build.ts';
import type { DefinitionSet } from '../core/definitions/model.ts';
import { type Problem, problemText } from '../core/definitions/problems.ts';
import type { RawRows } from '../core/definitions/rows.ts';
import type { Config } from './config.ts';
import { pluginPath, pluginProblem } from './exec/plugin.ts';
import type { Log } from './ports.ts';
import { loadRows } from './store/source.ts';
import { openStore, type Store } from './store/store.ts';

export type Examination =
  | { readonly ok: true; readonly definitions: DefinitionSet }
  /** `code` of ERRORS, or of the first problem. */
  | { readonly ok: false; readonly code: string; readonly message: string };

export type Preparation =
  | { readonly ok: true; readonly store: Store; readonly definitions: DefinitionSet }
  | Extract<Examination, { ok: false }>;

/** The caller closes the store. `report`: log every problem of the definitions. */
export function prepare(config: Config, log: Log, report: boolean): Preparation {
  const { database, runtimeDatabaseLink } = config;
  const linked = runtimeDatabaseLink !== database;
  const opened = openStore(database, linked ? { linkPath: runtimeDatabaseLink } : {});
  if (!opened.ok) return { ok: false, ...opened.error };
  const store = opened.value;
  for (const warning of store.warnings) log.warn({ code: warning.code }, warning.message);
  const seeded = seed(config, store, log);
  const result = seeded ?? define(config, store, log, report);
  if (!result.ok) store.close();
  return result;
}

/** Null = the store is filled. */
function seed(config: Config, store: Store, log: Log): Extract<Preparation, { ok: false }> | null {
  if (!store.empty) return null;
  if (config.definitions === null) return noSet(config);
  const loaded = loadRows(config.definitions);
  if (!loaded.ok) return { ok: false, ...loaded.error };
  const refused = store.seed(loaded.value.rows, loaded.value.problems, Date.now());
  for (const problem of [...loaded.value.problems, ...refused]) log.error({}, problemText(problem));
  for (const warning of loaded.value.warnings) log.warn({}, problemText(warning));
  log.info({ set: config.definitions, refused: refused.length }, 'the database was filled from a set');
  return null;
}

function define(config: Config, store: Store, log: Log, report: boolean): Preparation {
  const { set, problems } = build(config, store.rows());
  if (report) {
    for (const problem of problems) log[level(problem)]({ code: problem.code }, problemText(problem));
    store.setQuarantine(problems, Date.now());
  }
  const judged = judge(config, set, problems);
  return judged.ok ? { ...judged, store } : judged;
}

/**
 * Could `sm` run on this configuration? Looks only: the database may be in use by another version, which must not find it
 * changed. A database that is not there yet would be filled from the set.
 */
export function examine(config: Config): Examination {
  const opened = openStore(config.database, { readonly: true });
  if (!opened.ok && opened.error.code !== 'SM_STORE_MISSING') return { ok: false, ...opened.error };
  let rows: RawRows | null = null;
  if (opened.ok) {
    if (!opened.value.empty) rows = opened.value.rows();
    opened.value.close();
  }
  if (rows === null) {
    if (config.definitions === null) return noSet(config);
    const loaded = loadRows(config.definitions);
    if (!loaded.ok) return { ok: false, ...loaded.error };
    rows = loaded.value.rows;
  }
  const { set, problems } = build(config, rows);
  return judge(config, set, problems);
}

function build(config: Config, rows: RawRows): BuildResult {
  const directories = { lsb: config.lsbDirectory, ocfRoot: config.ocfRoot };
  return buildDefinitions(rows, {
    scriptProblem: (pluginType, pluginClass, pluginName) =>
      pluginProblem(pluginPath(directories, { pluginType, pluginClass, pluginName })),
  });
}

function judge(config: Config, set: DefinitionSet | null, problems: readonly Problem[]): Examination {
  const fatal = problems.find(({ severity }) => severity === 'error');
  if (set === null) {
    const reason = fatal === undefined ? 'there is no usable set in it' : problemText(fatal);
    return { ok: false, code: fatal?.code ?? 'no-domain', message: `${config.database}: ${reason}` };
  }
  if (!set.nodes.includes(config.node)) {
    const message = `${config.node} is no node of the domain ${set.domain.name} (${set.nodes.join(', ')}): correct node in the configuration, or SM_DOMAIN_NODES`;
    return { ok: false, code: 'SM_CONFIG_INVALID', message };
  }
  return { ok: true, definitions: set };
}

function noSet({ database }: Config): Extract<Examination, { ok: false }> {
  const message = `${database} holds no definitions, and the configuration names no set to start from: set definitions`;
  return { ok: false, code: 'SM_SET_MISSING', message };
}

function level(problem: Problem): 'error' | 'warn' {
  return problem.severity === 'error' ? 'error' : 'warn';
}
