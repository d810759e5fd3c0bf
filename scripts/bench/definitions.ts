/** Definition sets of any size, as folders of SQL files. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SETS = fileURLToPath(new URL('../../db/definitions', import.meta.url));
const NODES = ['controller-0', 'controller-1'];
const ROLES = ['management-interface', 'cluster-host-interface', 'oam-interface'];
/** The script of every generated service, in the directory of the LSB scripts. */
export const SCRIPT = 'service';
/** Long against everything that is measured. */
const AUDIT_SECONDS = 60;

/** All in ms. */
export interface Timing {
  readonly hello: number;
  readonly dead: number;
  readonly stopBound: number;
  readonly linkDownDetect: number;
  /** Of a lone start, for a peer. */
  readonly wait: number;
}

/** What is shipped, with a short wait. */
export const SHIPPED: Timing = { hello: 200, dead: 800, stopBound: 300, linkDownDetect: 100, wait: 1000 };

/** One group of services that all start at once. */
export const FIVE: Shape = { groups: 1, services: 5 };

export interface Shape {
  readonly groups: number;
  /** In each group. They do not depend on each other. */
  readonly services: number;
}

export function groupName(group: number): string {
  return `group-${group}`;
}

export function serviceName(group: number, service: number): string {
  return `service-${group}-${service}`;
}

/** Of all groups, in order. */
export function serviceNames({ groups, services }: Shape): string[] {
  return range(groups).flatMap((group) => range(services).map((service) => serviceName(group, service)));
}

/** Each group runs on one of two nodes; each service has a pid file, and audits that are rare. */
export function writeSet(folder: string, shape: Shape, timing: Timing): void {
  mkdirSync(folder, { recursive: true });
  const services = range(shape.groups).flatMap((group) =>
    range(shape.services).map((service) => ({ group: groupName(group), name: serviceName(group, service) })),
  );
  const groups = range(shape.groups).map(groupName);
  const stopGrace = stopGraceOf(timing);
  const statements = [
    insert('SERVICE_DOMAINS (NAME, HELLO_INTERVAL, DEAD_INTERVAL, WAIT_INTERVAL, EXCHANGE_INTERVAL)', [
      `'controller', ${timing.hello}, ${timing.dead}, ${timing.wait}, 500`,
    ]),
    insert(
      'SM_DOMAIN_NODES (SERVICE_DOMAIN, NODE_NAME, ORDINAL)',
      NODES.map((name, index) => `'controller', '${name}', ${index}`),
    ),
    insert(
      'SM_DOMAIN_SAFETY (SERVICE_DOMAIN, SILENCE_POLICY, STOP_BOUND, STOP_GRACE, KILL_VERIFY, LINK_DOWN_DETECT)',
      [`'controller', 'takeover', ${timing.stopBound}, ${stopGrace}, ${stopGrace}, ${timing.linkDownDetect}`],
    ),
    insert(
      'SERVICE_DOMAIN_INTERFACES (SERVICE_DOMAIN, SERVICE_DOMAIN_INTERFACE, AUTH_KEY)',
      ROLES.map((role) => `'controller', '${role}', 'cluster'`),
    ),
    insert(
      'SERVICE_GROUPS (NAME, FAILURE_DEBOUNCE)',
      groups.map((name) => `'${name}', 5000`),
    ),
    insert(
      'SERVICE_DOMAIN_MEMBERS (NAME, SERVICE_GROUP_NAME, REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY)',
      groups.map((name) => `'controller', '${name}', 'N + M', 1, 1`),
    ),
    insert(
      // One of them is killed every ten seconds: each time shall be the first one, without a pause before the start.
      'SERVICES (NAME, FAIL_COUNTDOWN_INTERVAL, PID_FILE)',
      services.map(({ name }) => `'${name}', 5000, '/run/sm-demo/${name}.pid'`),
    ),
    insert(
      'SERVICE_GROUP_MEMBERS (NAME, SERVICE_NAME, SERVICE_FAILURE_IMPACT)',
      services.map(({ group, name }) => `'${group}', '${name}', 'critical'`),
    ),
    insert(
      'SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS)',
      services.map(({ name }) => `'${name}', '${name}', 'service=${name},directory=/run/sm-demo/'`),
    ),
    insert(
      'SERVICE_ACTIONS (SERVICE_NAME, ACTION, PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND, MAX_FAILURE_RETRIES, MAX_TIMEOUT_RETRIES, MAX_TOTAL_RETRIES, TIMEOUT_IN_SECS, INTERVAL_IN_SECS)',
      services.flatMap(({ name }) => actions(name)),
    ),
    insert(
      'SERVICE_ACTION_RESULTS (PLUGIN_TYPE, PLUGIN_NAME, PLUGIN_COMMAND, PLUGIN_EXIT_CODE, ACTION_RESULT, SERVICE_STATE, SERVICE_STATUS, SERVICE_CONDITION)',
      [
        `'lsb-script', 'default', 'status', '0', 'success', 'enabled-active', 'unknown', 'unknown'`,
        `'lsb-script', 'default', 'status', '3', 'success', 'disabled', 'unknown', 'unknown'`,
        ...[
          `'0', 'success'`,
          `'plugin-failure', 'failed'`,
          `'plugin-timeout', 'failed'`,
          `'other', 'failed'`,
        ].map((row) => `'lsb-script', 'default', 'default', ${row}, 'unknown', 'unknown', 'unknown'`),
      ],
    ),
  ];
  writeFileSync(join(folder, '10-generated.sql'), statements.join('\n'));
}

/** Of S, ms: for the scripts, and the same for the look at what is left. */
function stopGraceOf({ stopBound }: Timing): number {
  return Math.min(100, Math.floor(stopBound / 3));
}

/** Sets this timing in any set of one domain. */
export function timingStatements(timing: Timing): string {
  const { hello, dead, wait, stopBound, linkDownDetect } = timing;
  const grace = stopGraceOf(timing);
  return `UPDATE SERVICE_DOMAINS SET HELLO_INTERVAL = ${hello}, DEAD_INTERVAL = ${dead}, WAIT_INTERVAL = ${wait};
UPDATE SM_DOMAIN_SAFETY SET STOP_BOUND = ${stopBound}, STOP_GRACE = ${grace}, KILL_VERIFY = ${grace},
  LINK_DOWN_DETECT = ${linkDownDetect};
`;
}

/** The demo's set, as it is. */
export function copyDemoSet(folder: string): void {
  cpSync(join(SETS, 'demo'), folder, { recursive: true });
}

/** StarlingX's set with stubs that have no processes: the scripts find their state in `/run/sm-demo`. */
export function copyStarlingxSet(folder: string): void {
  cpSync(join(SETS, 'starlingx'), folder, { recursive: true });
  const rows = `UPDATE SERVICES SET PID_FILE = '';
UPDATE SERVICE_INSTANCES SET INSTANCE_PARAMETERS = 'service=' || SERVICE_NAME || ',directory=/run/sm-demo/,promotable=' ||
  (SELECT CASE COUNT(*) WHEN 0 THEN 'no' ELSE 'yes' END FROM SERVICE_ACTIONS AS A
    WHERE A.SERVICE_NAME = SERVICE_INSTANCES.SERVICE_NAME AND A.ACTION = 'go-active');
`;
  writeFileSync(join(folder, '98-stubs.sql'), rows);
}

function actions(service: string): string[] {
  const row = (action: string, command: string, interval: number | "''") =>
    `'${service}', '${action}', 'lsb-script', '${SCRIPT}', '${command}', 2, 2, 2, 10, ${interval}`;
  return [
    row('enable', 'start', "''"),
    row('disable', 'stop', "''"),
    row('audit-enabled', 'status', AUDIT_SECONDS),
    row('audit-disabled', 'status', AUDIT_SECONDS),
  ];
}

function insert(into: string, rows: readonly string[]): string {
  return `INSERT INTO ${into} VALUES\n${rows.map((row) => `  (${row})`).join(',\n')};\n`;
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
