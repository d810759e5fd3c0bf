/**
 * How a script is called: its parameters and its environment. Directories and PATH are the runner's.
 * Source: OCF Resource Agent API 1.1; LSB 5.0, "Init Script Actions"; docs/reference/database.md, "Parameters".
 */
import type { ActionDefinition, ServiceDefinition } from '../definitions/model.ts';

export type Parameters =
  | { readonly ok: true; readonly entries: readonly (readonly [key: string, value: string])[] }
  | { readonly ok: false; readonly error: string };

export type Invocation =
  | { readonly ok: true; readonly environment: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly error: string };

/** Length of a parameter text, in characters (StarlingX's limit). */
export const PARAMETER_CHARACTERS_MAX = 1024;

/**
 * Parses `k1=v1,k2=v2`. It is scanned from the right, because a value may hold commas: the last `=` ends a key, the
 * key reaches back to the comma before it. So a value never holds `=`. Text without any `=` means nothing.
 */
export function parseParameters(text: string): Parameters {
  if (text.length > PARAMETER_CHARACTERS_MAX) {
    return bad(
      `parameters are ${text.length} characters long: at most ${PARAMETER_CHARACTERS_MAX} are possible`,
    );
  }
  if (text.includes('\0')) return bad('parameters hold a NUL character: remove it');
  const entries: [string, string][] = [];
  let rest = text;
  for (;;) {
    const equals = rest.lastIndexOf('=');
    if (equals < 0) break;
    const comma = rest.lastIndexOf(',', equals);
    const key = rest.slice(comma + 1, equals);
    if (key === '') return bad(`a parameter without a name before "${rest.slice(equals)}": write name=value`);
    if (key.includes('=')) return bad(`"${rest.slice(comma + 1)}": a value can not hold "="`);
    entries.push([key, rest.slice(equals + 1)]);
    rest = comma < 0 ? '' : rest.slice(0, comma);
  }
  return { ok: true, entries: entries.reverse() };
}

function bad(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}

/** The complete environment of one action of a service, or the reason why it can not be called. */
export function invocation(service: ServiceDefinition, action: ActionDefinition): Invocation {
  const instance = parseParameters(service.instanceParameters);
  if (!instance.ok) return bad(`instance parameters of ${service.name}: ${instance.error}`);
  const plugin = parseParameters(action.pluginParameters);
  if (!plugin.ok) return bad(`plugin parameters of ${service.name} ${action.action}: ${plugin.error}`);
  return action.pluginType === 'ocf-script'
    ? { ok: true, environment: ocfEnvironment(service, action, instance.entries, plugin.entries) }
    : lsbEnvironment([...instance.entries, ...plugin.entries]);
}

type Entries = readonly (readonly [string, string])[];

function ocfEnvironment(
  service: ServiceDefinition,
  action: ActionDefinition,
  instance: Entries,
  plugin: Entries,
): Record<string, string> {
  const environment: Record<string, string> = {
    OCF_RA_VERSION_MAJOR: '1',
    OCF_RA_VERSION_MINOR: '1',
    OCF_ROOT: '/usr/lib/ocf',
    OCF_RESOURCE_INSTANCE: service.instanceName,
    OCF_RESOURCE_TYPE: action.pluginName,
    OCF_RESOURCE_PROVIDER: action.pluginClass,
    HA_LOGFACILITY: 'daemon',
    OCF_RESKEY_CRM_meta_timeout: String(action.timeoutMs),
    OCF_RESKEY_CRM_meta_interval: String(action.intervalMs),
  };
  for (const [key, value] of instance) environment[`OCF_RESKEY_${key}`] = value;
  for (const [key, value] of plugin) environment[`OCF_RESKEY_CRM_meta_${key}`] = value;
  if (action.pluginCommand === 'monitor') {
    const level = [...instance, ...plugin].findLast(([key]) => key === 'check_level');
    environment.OCF_CHECK_LEVEL = level?.[1] ?? '0';
  }
  return environment;
}

/**
 * Variables by which a parameter would change what is executed rather than what it does: those of the loader, of the
 * shell and of the common interpreters.
 */
const RESERVED =
  /^(?:PATH|IFS|ENV|CDPATH|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND|SHELL|GCONV_PATH|NLSPATH|TZDIR|LOCPATH|GLOBIGNORE|BASH_.*|LD_.*|MALLOC_.*|GLIBC_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*)$/;

function lsbEnvironment(entries: Entries): Invocation {
  const environment: Record<string, string> = { SYSTEMCTL_SKIP_REDIRECT: '1' };
  for (const [key, value] of entries) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return bad(`"${key}" is not a name of a variable: rename it`);
    if (RESERVED.test(key)) return bad(`a parameter can not set ${key}: rename it`);
    environment[key] = value;
  }
  return { ok: true, environment };
}
