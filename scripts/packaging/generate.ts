/** `generate.ts DIRECTORY PREFIX PROGRAMS`: writes the manual pages, the completions and the example configuration. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SM_DUMP } from '../../src/cli/dump.ts';
import { SM_QUERY } from '../../src/cli/query.ts';
import { SMCTL } from '../../src/cli/smctl.ts';
import { TOOLS } from '../../src/cli/tools.ts';
import { bashCompletion, zshCompletion } from './completion.ts';
import { exampleConfiguration } from './example-configuration.ts';
import { aliasPage, commandPage, configurationPage, helpPage } from './man.ts';

function generate(directory: string, prefix: string, programs: string): void {
  const helpOf = (program: string) =>
    execFileSync(process.execPath, [join(programs, `${program}.js`), '--help'], { encoding: 'utf8' });
  const write = (path: string, text: string): void => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  for (const program of [SMCTL, SM_DUMP, SM_QUERY, ...TOOLS]) {
    const { name } = program;
    const bash = `share/bash-completion/completions/${name}`;
    write(bash, bashCompletion(program));
    write(`share/zsh/vendor-completions/_${name}`, zshCompletion(program, `${prefix}/${bash}`));
    write(`share/man/man8/${name}.8`, commandPage(program));
  }
  write('share/man/man8/sm.8', helpPage('sm', 8, 'service-group manager of one node', helpOf('sm')));
  write('share/man/man8/sm-api.8', helpPage('sm-api', 8, 'REST API of one node', helpOf('sm-api')));
  write('share/man/man8/sm-watchdog.8', aliasPage('man8/sm.8'));
  write(
    'share/man/man8/sm-arbiter.8',
    helpPage('sm-arbiter', 8, 'ask the arbiters of a node', helpOf('sm-arbiter')),
  );
  write('share/man/man1/sm-sim.1', helpPage('sm-sim', 1, 'simulate a pair with faults', helpOf('sm-sim')));
  write('share/man/man5/sm.yaml.5', configurationPage());
  write('etc/sm.yaml.example', exampleConfiguration());
}

const [directory, prefix, programs] = process.argv.slice(2);
if (directory === undefined || prefix === undefined || programs === undefined) {
  throw new Error('usage: generate.ts DIRECTORY PREFIX PROGRAMS');
}
generate(directory, prefix, programs);
