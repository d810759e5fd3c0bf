/** CONFIGURATION: settings by key. A setting that makes no sense takes its default, and a warning says so. Pure. */
import type { Draft } from './draft.ts';

interface Setting {
  readonly key: string;
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** Scripts that enable at once. Without a limit a start of a hundred services starves the machine's own work. */
const ENABLING_THROTTLE: Setting = { key: 'ENABLING_THROTTLE', fallback: 1000, min: 1, max: 1000 };
const FAILPENDING_TIMEOUT_MS: Setting = {
  key: 'FAILPENDING_TIMEOUT_MS',
  fallback: 2000,
  min: 1200,
  max: 600_000,
};

/** Keys of StarlingX that have no meaning here; they are kept, and are no reason for a warning. */
const KNOWN_KEYS = ['sm_client_port', 'sm_server_port', 'sm_process_priority', 'RESET_PEER_WAIT_TIMEOUT_SEC'];

export interface Settings {
  readonly enablingThrottle: number;
  readonly failPendingMs: number;
}

export function checkSettings(draft: Draft): Settings {
  const used = [ENABLING_THROTTLE, FAILPENDING_TIMEOUT_MS];
  const known = new Set([...KNOWN_KEYS, ...used.map((setting) => setting.key)]);
  for (const row of draft.rows('CONFIGURATION')) {
    if (known.has(row.text('KEY'))) continue;
    draft.problems.warning(
      'unknown-setting',
      row.table,
      row.raw,
      'no setting has this key: it has no effect',
    );
  }
  return {
    enablingThrottle: settingValue(draft, ENABLING_THROTTLE),
    failPendingMs: settingValue(draft, FAILPENDING_TIMEOUT_MS),
  };
}

function settingValue(draft: Draft, setting: Setting): number {
  const row = draft.rows('CONFIGURATION').find((each) => each.text('KEY') === setting.key);
  if (row === undefined || row.text('VALUE') === '') return setting.fallback;
  const text = row.text('VALUE');
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= setting.min && value <= setting.max) return value;
  draft.problems.warning(
    'bad-setting',
    row.table,
    row.raw,
    `VALUE must be a whole number from ${setting.min} to ${setting.max}; ${setting.fallback} holds`,
  );
  return setting.fallback;
}
