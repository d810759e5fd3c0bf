/**
 * `sm-provision`, `sm-deprovision`, `sm-configure`: the definitions of this node, changed as StarlingX's scripts do it, but
 * checked as a whole, in one transaction, and with an exit code that tells what came of it.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { type Edit, editDefinitions } from '../shell/store/edit.ts';
import {
  type CommandSpec,
  failed,
  type Given,
  type OptionSpec,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { EXIT } from './exit-codes.ts';

const WHEN = [
  'Checked as a whole before it is kept: what would be an error is refused, and nothing is changed. sm takes it up when it is',
  'started anew: do the same on the other node, then smctl restart-daemon on both.',
];
const APPLY: OptionSpec = {
  flags: '--apply',
  text: 'taken for the sake of scripts; nothing is applied to a running sm yet, and stderr says so',
};
const APPLIES = 'stored; sm takes it up when it is started anew (smctl restart-daemon)';

function edit(given: Given, edits: readonly Edit[]): Outcome {
  const edited = editDefinitions(given.settings.database, edits);
  if (!edited.ok) return failed(edited.error);
  const { changed, digest } = edited.value;
  const note = changed === 0 ? 'it was so already' : APPLIES;
  const live = given.options.apply === true ? ['--apply changes nothing of a running sm yet'] : [];
  // Nothing on stdout: scripts that call StarlingX's tools expect nothing there.
  return { exit: EXIT.ok, problems: [note, ...live], json: { ok: true, changed, digest, applied: false } };
}

/* sm-provision and sm-deprovision */

interface Provisioned {
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly (readonly [syntax: string, text: string])[];
  readonly edits: (words: readonly string[], value: string) => readonly Edit[];
  readonly apply?: true;
}

const set = (table: string, value: string, keys: Readonly<Record<string, string>>, what: string): Edit => ({
  sql: `UPDATE ${table} SET PROVISIONED = ? WHERE ${Object.keys(keys)
    .map((key) => `${key} = ?`)
    .join(' AND ')}`,
  values: [value, ...Object.values(keys)],
  what,
});

const DOMAIN = ['<domain>', 'name of the domain'] as const;
const GROUP = ['<group>', 'name of a service group'] as const;
const SERVICE = ['<service>', 'name of a service'] as const;

const PROVISIONED: readonly Provisioned[] = [
  {
    name: 'service-domain',
    summary: 'The domain',
    arguments: [DOMAIN],
    edits: ([name = ''], value) => [set('SERVICE_DOMAINS', value, { NAME: name }, `domain ${name}`)],
  },
  {
    name: 'service-domain-member',
    summary: 'A group of the domain',
    arguments: [DOMAIN, GROUP],
    edits: ([domain = '', group = ''], value) => [
      set(
        'SERVICE_DOMAIN_MEMBERS',
        value,
        { NAME: domain, SERVICE_GROUP_NAME: group },
        `group ${group} in domain ${domain}`,
      ),
    ],
  },
  {
    name: 'service-domain-interface',
    summary: 'A link of the domain',
    arguments: [DOMAIN, ['<interface>', 'management-interface, cluster-host-interface...']],
    apply: true,
    edits: ([domain = '', role = ''], value) => [
      set(
        'SERVICE_DOMAIN_INTERFACES',
        value,
        { SERVICE_DOMAIN: domain, SERVICE_DOMAIN_INTERFACE: role },
        `${role} in domain ${domain}`,
      ),
    ],
  },
  {
    name: 'service-group',
    summary: 'A service group',
    arguments: [GROUP],
    edits: ([name = ''], value) => [set('SERVICE_GROUPS', value, { NAME: name }, `service group ${name}`)],
  },
  {
    name: 'service-group-member',
    summary: 'A service, and its place in a group',
    arguments: [GROUP, SERVICE],
    apply: true,
    edits: ([group = '', service = ''], value) => [
      set(
        'SERVICE_GROUP_MEMBERS',
        value,
        { NAME: group, SERVICE_NAME: service },
        `service ${service} in group ${group}`,
      ),
      set('SERVICES', value, { NAME: service }, `service ${service}`),
    ],
  },
  {
    name: 'service',
    summary: 'A service alone (old: use service-group-member)',
    arguments: [SERVICE],
    edits: ([name = ''], value) => [set('SERVICES', value, { NAME: name }, `service ${name}`)],
  },
];

const provisioning = (name: string, value: 'yes' | 'no', summary: string): CommandSpec => ({
  name,
  summary,
  details: WHEN,
  commands: PROVISIONED.map((one) => ({
    name: one.name,
    summary: `${one.summary}: PROVISIONED ${value}`,
    arguments: one.arguments.map(([syntax, words]) => ({ syntax, text: words })),
    ...(one.apply === undefined ? {} : { options: [APPLY] }),
    run: (_context, given) => edit(given, one.edits(given.arguments, value)),
  })),
});

export const SM_PROVISION = provisioning('sm-provision', 'yes', 'Let a part of the definitions be used');
export const SM_DEPROVISION = provisioning('sm-deprovision', 'no', 'Leave a part of the definitions unused');

/* sm-configure */

const ADDRESSED = [
  ['<domain>', 'name of the domain'],
  ['<interface>', 'management-interface, cluster-host-interface, oam-interface or admin-interface'],
  ['<multicast>', 'address of a multicast group, or empty'],
  ['<address>', "this node's address"],
  ['<port>', 'its UDP port'],
  ['<heartbeat-port>', 'its UDP port for heartbeats'],
  ['<peer-address>', "the other node's address"],
  ['<peer-port>', 'its UDP port'],
  ['<peer-heartbeat-port>', 'its UDP port for heartbeats'],
] as const;

const whole = (word: string): number | string => (/^[0-9]{1,9}$/.test(word) ? Number(word) : word);

function configureInterface(given: Given): Outcome {
  const [domain = '', role = '', multicast = '', address = '', port = '', ...more] = given.arguments;
  const [heartbeat = '', peer = '', peerPort = '', peerHeartbeat = ''] = more;
  const type = isIPv4(address) ? 'ipv4-udp' : isIPv6(address) ? 'ipv6-udp' : null;
  if (type === null) return problem(EXIT.usage, 'usage', `${address} is no IPv4 or IPv6 address`);
  const row = {
    sql: `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_TYPE = ?, NETWORK_MULTICAST = ?, NETWORK_ADDRESS = ?, NETWORK_PORT = ?,
            NETWORK_HEARTBEAT_PORT = ?, NETWORK_PEER_ADDRESS = ?, NETWORK_PEER_PORT = ?, NETWORK_PEER_HEARTBEAT_PORT = ?
          WHERE SERVICE_DOMAIN = ? AND SERVICE_DOMAIN_INTERFACE = ?`,
    values: [
      ...[type, multicast, address, whole(port), whole(heartbeat)],
      ...[peer, whole(peerPort), whole(peerHeartbeat), domain, role],
    ],
    what: `${role} in domain ${domain}`,
  };
  return edit(given, [row]);
}

function configureInstance(given: Given): Outcome {
  const [service = '', instance = '', parameters = ''] = given.arguments;
  return edit(given, [
    { sql: 'UPDATE SERVICES SET NAME = NAME WHERE NAME = ?', values: [service], what: `service ${service}` },
    {
      sql: `INSERT INTO SERVICE_INSTANCES (SERVICE_NAME, INSTANCE_NAME, INSTANCE_PARAMETERS) VALUES (?, ?, ?)
            ON CONFLICT (SERVICE_NAME) DO UPDATE SET
              INSTANCE_NAME = excluded.INSTANCE_NAME, INSTANCE_PARAMETERS = excluded.INSTANCE_PARAMETERS`,
      values: [service, instance, parameters],
    },
  ]);
}

const MEMBER = [
  ['<provisioned>', 'yes or no'],
  ['<domain>', 'name of the domain'],
  ['<group>', 'name of a service group'],
  ['<model>', "N, or 'N + M'"],
  ['<active>', 'nodes that are to be active'],
  ['<standby>', 'nodes that are to be standby'],
  ['<aggregate>', 'name of an aggregate, or empty'],
  ['<active-only>', 'group beside which alone it may be active, or empty'],
] as const;

function configureGroup(given: Given): Outcome {
  const [provisioned = '', domain = '', group = '', model = '', active = '', standby = '', ...more] =
    given.arguments;
  const [aggregate = '', activeOnly = ''] = more;
  const columns = 'REDUNDANCY_MODEL, N_ACTIVE, M_STANDBY, SERVICE_GROUP_AGGREGATE, ACTIVE_ONLY_IF_ACTIVE';
  return edit(given, [
    {
      sql: `INSERT INTO SERVICE_DOMAIN_MEMBERS (PROVISIONED, NAME, SERVICE_GROUP_NAME, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (NAME, SERVICE_GROUP_NAME) DO UPDATE SET PROVISIONED = excluded.PROVISIONED,
              ${columns
                .split(', ')
                .map((column) => `${column} = excluded.${column}`)
                .join(', ')}`,
      values: [provisioned, domain, group, model, whole(active), whole(standby), aggregate, activeOnly],
    },
  ]);
}

/** As the links of a system are wired. */
const CONNECT_TYPES: Readonly<Record<string, string>> = { duplex: 'tor', 'duplex-direct': 'dc' };
const SETTINGS = ['sm_server_port', 'sm_client_port', 'sm_process_priority'] as const;

function configureSystem(given: Given): Outcome {
  const edits: Edit[] = [];
  const mode = text(given, 'cpe_mode');
  const connect = CONNECT_TYPES[mode];
  if (mode !== '' && connect === undefined)
    return problem(EXIT.usage, 'usage', '--cpe_mode takes duplex or duplex-direct');
  if (connect !== undefined)
    edits.push({
      sql: `UPDATE SERVICE_DOMAIN_INTERFACES SET INTERFACE_CONNECT_TYPE = ?
            WHERE SERVICE_DOMAIN_INTERFACE IN ('management-interface', 'cluster-host-interface')`,
      values: [connect],
      what: 'management or cluster-host interface',
    });
  const priority = text(given, 'sm_process_priority');
  if (priority !== '' && !(/^-\d{1,2}$/.test(priority) && Number(priority) >= -20 && Number(priority) <= -2))
    return problem(EXIT.usage, 'usage', '--sm_process_priority takes a whole number from -20 to -2');
  for (const key of SETTINGS) {
    const value = text(given, key);
    if (value === '') continue;
    if (key !== 'sm_process_priority' && !(Number(whole(value)) >= 1 && Number(whole(value)) <= 65_535))
      return problem(EXIT.usage, 'usage', `--${key} takes a port, 1 to 65535`);
    edits.push({
      sql: 'INSERT INTO CONFIGURATION (KEY, VALUE) VALUES (?, ?) ON CONFLICT (KEY) DO UPDATE SET VALUE = excluded.VALUE',
      values: [key, value],
    });
  }
  if (edits.length === 0) return problem(EXIT.usage, 'usage', 'nothing to configure was given');
  return edit(given, edits);
}

const parts = (list: readonly (readonly [string, string])[]) =>
  list.map(([syntax, words]) => ({ syntax, text: words }));

export const SM_CONFIGURE: CommandSpec = {
  name: 'sm-configure',
  summary: 'Change addresses, instances, groups and settings in the definitions',
  details: WHEN,
  commands: [
    {
      name: 'interface',
      summary: 'Addresses and ports of a link',
      arguments: parts(ADDRESSED),
      options: [APPLY],
      emptyArguments: true,
      run: (_context, given) => configureInterface(given),
    },
    {
      name: 'service_instance',
      summary: 'Name and parameters of what a service runs',
      arguments: [
        { syntax: '<service>', text: 'name of a service' },
        { syntax: '<instance>', text: 'name of what it runs' },
        { syntax: '<parameters>', text: 'name=value,name=value...' },
      ],
      options: [APPLY],
      emptyArguments: true,
      run: (_context, given) => configureInstance(given),
    },
    {
      name: 'service_group',
      summary: 'A group of the domain: on how many nodes it runs',
      arguments: parts(MEMBER),
      emptyArguments: true,
      run: (_context, given) => configureGroup(given),
    },
    {
      name: 'system',
      summary: 'Settings of the whole',
      options: [
        { flags: '--cpe_mode <mode>', text: 'duplex, or duplex-direct: wired without a switch' },
        { flags: '--sm_server_port <port>', text: 'kept for other tools' },
        { flags: '--sm_client_port <port>', text: 'kept for other tools' },
        { flags: '--sm_process_priority <nice>', text: 'kept for other tools; -20 to -2' },
      ],
      run: (_context, given) => configureSystem(given),
    },
  ],
};
