/** sm-query: one line per name, for scripts that grep. */
import { StateReader } from '../shell/store/reader.ts';
import { type CommandSpec, type Context, failed, type Given, type Outcome } from './command.ts';
import { EXIT } from './exit-codes.ts';

export const SM_QUERY: CommandSpec = {
  name: 'sm-query',
  summary: 'Tell the state of a service or of service groups, in lines made for grep',
  commands: [
    {
      name: 'service',
      summary: 'Print "NAME is STATE" or "NAME is STATE-STATUS"',
      details: ['A service that does not exist is disabled. The exit code is 0 in either case.'],
      examples: ['sm-query service nginx | grep -q enabled-active'],
      arguments: [{ syntax: '<name>', text: 'name of a service', complete: 'service' }],
      run: queryService,
    },
    {
      name: 'service-group',
      summary: 'Print "NAME STATE" for each provisioned group, then the names that are not provisioned',
      details: ['The exit code is 0 in either case.'],
      arguments: [{ syntax: '<name...>', text: 'names of service groups', complete: 'group' }],
      options: [{ flags: '--desired-state', text: 'print "NAME DESIRED STATE"' }],
      run: queryGroups,
    },
  ],
};

function queryService(_context: Context, given: Given): Outcome {
  const [name = ''] = given.arguments;
  const read = StateReader.read(given.settings.database, (reader) => reader.service(name));
  if (!read.ok) return failed(read.error);
  const row = read.value;
  if (row === undefined)
    return {
      exit: EXIT.ok,
      lines: [`${name} is disabled.`],
      json: { name, known: false, state: 'disabled', status: '' },
    };
  // StarlingX prints a lone dash after the state of a healthy service. Nobody looks for it, and it reads as a fault.
  const status = row.status === '' || row.status === 'none' ? '' : `-${row.status}`;
  return {
    exit: EXIT.ok,
    lines: [`${name} is ${row.state}${status}`],
    json: { name, known: true, desired_state: row.desired, state: row.state, status: row.status },
  };
}

function queryGroups(_context: Context, given: Given): Outcome {
  const read = StateReader.read(given.settings.database, (reader) => reader.groups());
  if (!read.ok) return failed(read.error);
  const lines: string[] = [];
  const missing: string[] = [];
  const found: object[] = [];
  for (const name of given.arguments) {
    const group = read.value.find((candidate) => candidate.name === name);
    if (group === undefined) missing.push(name);
    else {
      lines.push(
        given.options.desiredState === true
          ? `${name} ${group.desired} ${group.state}`
          : `${name} ${group.state}`,
      );
      found.push({ name, desired_state: group.desired, state: group.state, status: group.status });
    }
  }
  if (missing.length > 0)
    lines.push(`${missing.join(',')} ${missing.length === 1 ? 'is' : 'are'} not provisioned`);
  return { exit: EXIT.ok, lines, json: { groups: found, not_provisioned: missing } };
}
