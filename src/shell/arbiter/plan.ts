/** What `sm-arbiter` has to know, taken from the definitions and the configuration of a node. */
import { join } from 'node:path';
import type { DefinitionSet } from '../../core/definitions/model.ts';
import type { Config } from '../config.ts';
import { kernelLife } from '../node-facts.ts';
import type { ArbiterPlan } from './messages.ts';

/** Where fence agents lie. */
const AGENTS_DIRECTORY = '/usr/sbin';

/** `knownRegister`: identity of the register that the record was seen in; '' = never. null = no arbiter is configured. */
export function arbiterPlan(
  config: Config,
  {
    arbiters,
    domain,
    nodes,
    interfaces,
  }: Pick<DefinitionSet, 'arbiters' | 'domain' | 'nodes' | 'interfaces'>,
  knownRegister: string,
): ArbiterPlan | null {
  const peer = nodes.find((name) => name !== config.node);
  if (arbiters === undefined || peer === undefined) return null;
  return {
    node: config.node,
    peer,
    ordinal: nodes[0] === config.node ? 0 : 1,
    domain,
    arbiters,
    addresses: Object.fromEntries(interfaces.map(({ role, address }) => [role, address])),
    secretsDirectory: config.secretsDirectory,
    agentsDirectory: AGENTS_DIRECTORY,
    diskLock: join(config.runDirectory, 'sm-disk.lock'),
    kernelLife: kernelLife(config.kernelLifeFile) ?? '',
    knownRegister,
  };
}
