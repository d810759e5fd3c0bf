/**
 * The keys of /etc/sm/sm.yaml: what is this node's alone. Everything else is in the database. One text for the check, the
 * types and docs/reference/configuration.md. JSON Schema as it is written: the builder functions of typebox would take
 * longer to load than all the rest of `sm`.
 */
import { LIMITS } from '../core/kernel/limits.ts';
import { YES_NO } from '../core/kernel/names.ts';

/** What it costs to change a key of a running node. */
const CHANGE = {
  sm: 'Restart of `sm`: services run on, the peer is told that the manager is away.',
  both: 'Restart of `sm` and `sm-watchdog`: swact or lock the node first.',
  identity: 'The definitions must name the node so too: lock it, stop it, change both, start it.',
  move: 'Stop `sm`, move the file, change the key, start `sm`: services run on.',
} as const;

/** What every key says about itself. `rule` ends the sentence "it must be ..."; `fallback` is the default in words. */
export interface KeyNotes {
  readonly description: string;
  readonly rule: string;
  readonly change: string;
  readonly fallback: string;
}

const ABSOLUTE_PATH = '^/[^\\0]*$';
const PATH_RULE = 'an absolute path';

function path(description: string, fallback: string, change: string) {
  const notes = { description, rule: PATH_RULE, fallback, change };
  return { type: 'string', pattern: ABSOLUTE_PATH, maxLength: 4095, ...notes } as const;
}

function oneOf<const Words extends readonly string[]>(
  words: Words,
  description: string,
  fallback: string,
  change: string,
) {
  return { enum: words, description, rule: `one of: ${words.join(', ')}`, fallback, change };
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export const CONTAINMENTS = ['auto', 'cgroup', 'marker'] as const;
export const VIRTUAL_MACHINES = ['auto', ...YES_NO] as const;
export const SELF_FENCES = ['processes', 'reboot', 'sysrq'] as const;

const API_CHANGE = 'Restart of the REST server alone.';

const Tls = {
  type: 'object',
  properties: {
    certificate: path('Certificate of the REST server, PEM.', 'none', API_CHANGE),
    key: path('Its private key, PEM, mode 0600.', 'none', API_CHANGE),
    clientCa: path(
      'Authority, PEM, whose certificates callers may prove themselves with; the role is their OU.',
      'none: tokens only',
      API_CHANGE,
    ),
  },
  required: ['certificate', 'key'],
  additionalProperties: false,
  rule: 'a mapping with the keys certificate and key, and perhaps clientCa',
} as const;

const Api = {
  type: 'object',
  properties: {
    address: {
      type: 'string',
      description: 'Address on which the REST server listens. Any but loopback needs TLS and a credential.',
      rule: 'an IPv4 or IPv6 address',
      fallback: '127.0.0.1',
      change: API_CHANGE,
    },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      description: 'Port on which the REST server listens.',
      rule: 'a whole number from 1 to 65535',
      fallback: '7777',
      change: API_CHANGE,
    },
    tls: Tls,
    tokensFile: path(
      'Sums of the tokens that callers prove themselves with; `smctl token` writes it.',
      '/etc/sm/tokens',
      API_CHANGE,
    ),
    auditFile: path(
      'File to which every change that was asked for is appended, one line of JSON each.',
      '/var/log/sm/audit.log',
      API_CHANGE,
    ),
    keystone: {
      type: 'string',
      pattern: '^https?://[^\\s]+$',
      maxLength: 1023,
      description: 'Keystone that is asked about tokens that are not ours.',
      rule: 'an address like https://keystone:5000/v3',
      fallback: 'none',
      change: API_CHANGE,
    },
    compatibility: path(
      "Directory of the sockets that StarlingX's own tools send to, `/tmp` for them; needs perl and root.",
      'none: they are not opened',
      API_CHANGE,
    ),
  },
  additionalProperties: false,
  rule: 'a mapping with the keys address, port, tls, tokensFile, auditFile, keystone and compatibility',
} as const;

const Log = {
  type: 'object',
  properties: {
    level: oneOf(LOG_LEVELS, 'The least severe lines that are logged.', 'info', CHANGE.sm),
    file: path('File that gets the log instead of stderr; it is only ever appended to.', 'stderr', CHANGE.sm),
  },
  additionalProperties: false,
  rule: 'a mapping with the keys level and file',
} as const;

const Trace = {
  type: 'object',
  properties: {
    directory: path(
      'Directory of the traces of `sm`, which `sm-sim replay` reads.',
      'trace beside the database',
      CHANGE.sm,
    ),
    bytesMax: {
      type: 'integer',
      minimum: 0,
      maximum: 2 ** 40,
      description: 'Room for all of them together, bytes; the oldest go first. 0: no trace is written.',
      rule: 'a whole number of bytes, 0 for no trace',
      fallback: '67108864',
      change: CHANGE.sm,
    },
  },
  additionalProperties: false,
  rule: 'a mapping with the keys directory and bytesMax',
} as const;

const Notifications = {
  type: 'object',
  properties: {
    directory: path(
      'Directory of the programs that are told of each change of a group.',
      '/etc/sm/notify.d',
      CHANGE.sm,
    ),
    limitMs: {
      type: 'integer',
      minimum: 100,
      maximum: 60_000,
      description: 'Time for all of them together at one change, ms.',
      rule: 'a whole number of ms from 100 to 60000',
      fallback: '10000',
      change: CHANGE.sm,
    },
    barrier: {
      type: 'string',
      pattern: '^([A-Za-z0-9][A-Za-z0-9._:@-]*( +|$))*$',
      maxLength: 4095,
      description:
        'Groups that wait for them: nothing of the group is activated, and it is not said to be stopped, before they have ended or their time is over.',
      rule: 'names of groups with blanks between them',
      fallback: 'none: no group waits',
      change: CHANGE.sm,
    },
  },
  additionalProperties: false,
  rule: 'a mapping with the keys directory, limitMs and barrier',
} as const;

export const ConfigFile = {
  type: 'object',
  properties: {
    node: {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
      maxLength: LIMITS.nameCharactersMax,
      description: 'Name of this node, as in the definitions.',
      rule: `a name of at most ${LIMITS.nameCharactersMax} letters, digits, dots, underscores and dashes`,
      fallback: 'the host name up to its first dot',
      change: CHANGE.identity,
    },
    database: path('The database: definitions and state.', '/var/lib/sm/sm.db', CHANGE.move),
    runtimeDatabaseLink: path(
      'Link to the database, for tools that know only this path.',
      '/var/run/sm/sm.db',
      CHANGE.sm,
    ),
    definitions: path(
      'Definition set that a new database is filled with: a folder of numbered SQL files, or a database. Not read again later.',
      'none: the database must exist',
      'None: it is used only where there is no database yet.',
    ),
    keysDirectory: path('Directory of the key files of the links.', '/etc/sm/keys.d', CHANGE.both),
    secretsDirectory: path(
      'Directory of the secrets of arbiters and fence devices, files of mode 0600 that definitions name.',
      '/etc/sm/secrets.d',
      CHANGE.both,
    ),
    runDirectory: path('Directory of what lives as long as the system runs.', '/run/sm', CHANGE.both),
    controlSocket: path(
      'Socket on which `sm` takes commands. At most 107 bytes.',
      'control.sock in runDirectory',
      CHANGE.sm,
    ),
    lsbDirectory: path('Directory of the LSB scripts.', '/etc/init.d', CHANGE.sm),
    goEnabledDirectory: path(
      'Directory of the checks that a node has to pass, in each life of its kernel, before it is given groups.',
      '/etc/sm/goenabled.d',
      CHANGE.sm,
    ),
    ocfRoot: path('OCF_ROOT: agents are below resource.d in it.', '/usr/lib/ocf', CHANGE.sm),
    notifications: Notifications,
    api: Api,
    log: Log,
    trace: Trace,
    selfFence: oneOf(
      SELF_FENCES,
      "What a node does to itself that can not be made to stop otherwise. `processes`: it kills the node's own recorded processes; `reboot`: the machine is restarted by reboot(2); `sysrq`: it is reset by /proc/sysrq-trigger. The last two write nothing back, and are armed in the first pid namespace of the machine alone.",
      'processes',
      CHANGE.both,
    ),
    watchdogDevice: path(
      'Watchdog device that resets the machine when `sm-watchdog` no longer works, or has given the node up; armed in the first pid namespace of the machine alone.',
      'none',
      CHANGE.both,
    ),
    containment: oneOf(
      CONTAINMENTS,
      'How everything that a service started is found. `cgroup`: a control group for each service; `marker`: pid file, descendants and a mark in the environment; `auto`: the first where the system allows it.',
      'auto',
      'Stop of the node: services that run are found by the way in which they were started.',
    ),
    kernelLifeFile: path(
      'File that holds the id of this run of the kernel. Another one serves several nodes on one kernel.',
      '/proc/sys/kernel/random/boot_id',
      CHANGE.both,
    ),
    productUuidFile: path(
      'File that holds the id of this machine.',
      '/sys/class/dmi/id/product_uuid',
      CHANGE.both,
    ),
    virtualMachine: oneOf(
      VIRTUAL_MACHINES,
      'Whether this node is a virtual machine, which can be paused and set back: where no fence device could prove its death the alarm `paused-virtual-machine` stands. `auto`: what the CPU says (flag `hypervisor`, x86 alone).',
      'auto',
      CHANGE.sm,
    ),
    realtime: oneOf(
      YES_NO,
      'Whether `sm-watchdog` asks for real-time priority. It goes on without where that is not permitted.',
      'yes',
      CHANGE.both,
    ),
  },
  additionalProperties: false,
  rule: 'a mapping of keys to values',
} as const;
