/** StarlingX's definitions on a pair of test nodes: a recording stub in the place of each of its scripts. */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDefinitions } from '../../../src/core/definitions/build.ts';
import type { DefinitionSet } from '../../../src/core/definitions/model.ts';
import { pluginPath } from '../../../src/shell/exec/plugin.ts';
import { loadRows } from '../../../src/shell/store/source.ts';
import { addressOf, NODES, ROLES, type Site } from '../pair/node.ts';

const SHIPPED = fileURLToPath(new URL('../../../db/definitions/starlingx', import.meta.url));
const STUB = fileURLToPath(new URL('./stub.sh', import.meta.url));
const EVERYTHING = ['SERVICES', 'SERVICE_GROUPS', 'SERVICE_GROUP_MEMBERS', 'SERVICE_DOMAIN_MEMBERS'];

/** The set without what is a node's own. */
export function definitionSet(folder: string): DefinitionSet {
  const loaded = loadRows(folder);
  if (!loaded.ok) throw new Error(loaded.error.message);
  const { set } = buildDefinitions(loaded.value.rows);
  if (set === null) throw new Error(`${folder} can not be used`);
  return set;
}

/** `journal`: one file for both nodes. `everything`: all that the set knows is provisioned. */
export function starlingxSite(journal: string, everything: boolean): Site {
  return {
    install: (directory, index, base) => {
      const folder = join(directory, 'definitions');
      cpSync(SHIPPED, folder, { recursive: true });
      writeFileSync(join(folder, '99-node.sql'), nodeRows(directory, index, base, journal, everything));
      mkdirSync(join(directory, 'state'));
      copyFileSync(STUB, join(directory, 'stub'));
      for (const path of scripts(definitionSet(folder), directory)) {
        mkdirSync(dirname(path), { recursive: true });
        symlinkSync(join(directory, 'stub'), path);
      }
    },
    cut: (directory) => {
      const state = join(directory, 'state');
      for (const name of readdirSync(state)) writeFileSync(join(state, name), '');
    },
  };
}

/** A node whose services are gone without a word of their scripts. */
export function notePowerOff(journal: string, node: string): void {
  appendFileSync(journal, `${node} - power-off end 0\n`);
}

/** What every node has to set for itself. The stubs have no processes, so there is nothing to watch. */
function nodeRows(
  directory: string,
  index: number,
  base: number,
  journal: string,
  everything: boolean,
): string {
  const lines = [
    "UPDATE SERVICES SET PID_FILE = '';",
    `UPDATE SERVICE_INSTANCES SET INSTANCE_PARAMETERS = 'service=' || SERVICE_NAME ||
       ',node=${NODES[index]},directory=${directory},journal=${journal},promotable=' ||
       (SELECT CASE COUNT(*) WHEN 0 THEN 'no' ELSE 'yes' END FROM SERVICE_ACTIONS AS A
         WHERE A.SERVICE_NAME = SERVICE_INSTANCES.SERVICE_NAME AND A.ACTION = 'go-active');`,
  ];
  if (everything) lines.push(...EVERYTHING.map((table) => `UPDATE ${table} SET PROVISIONED = 'yes';`));
  for (const [link, role] of ROLES.entries()) {
    const own = addressOf(base, link, index);
    const peer = addressOf(base, link, 1 - index);
    lines.push(
      `UPDATE SERVICE_DOMAIN_INTERFACES SET NETWORK_TYPE = 'ipv4-udp', NETWORK_ADDRESS = '${own}', NETWORK_PORT = 2222,
         NETWORK_HEARTBEAT_PORT = 2223, NETWORK_PEER_ADDRESS = '${peer}', NETWORK_PEER_PORT = 2222,
         NETWORK_PEER_HEARTBEAT_PORT = 2223 WHERE SERVICE_DOMAIN_INTERFACE = '${role}';`,
    );
  }
  return lines.join('\n');
}

function scripts(set: DefinitionSet, directory: string): Set<string> {
  const roots = { lsb: join(directory, 'lsb'), ocfRoot: join(directory, 'ocf') };
  const actions = [...set.services.values()].flatMap((service) => [...service.actions.values()]);
  return new Set(actions.map((action) => pluginPath(roots, action)));
}

export interface Step {
  readonly node: string;
  readonly service: string;
  readonly command: string;
  readonly phase: 'begin' | 'end';
  /** Activation number at the begin, exit code at the end. */
  readonly number: number;
}

export function stepsOf(journal: string): Step[] {
  return readFileSync(journal, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [node = '', service = '', command = '', phase, number] = line.split(' ');
      return { node, service, command, phase: phase as Step['phase'], number: Number(number) };
    });
}
