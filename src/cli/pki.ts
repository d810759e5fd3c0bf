/** `smctl pki`: the pair's own authority, and the certificates of the REST server and of its callers. */
import { isIP } from 'node:net';
import type { Result } from '../core/kernel/errors.ts';
import {
  authorityFiles,
  CERTIFICATE_DAYS,
  type Files,
  issue,
  makeAuthority,
  type Purpose,
  purposeOf,
} from '../shell/credentials/pki.ts';
import { ROLES } from '../shell/credentials/tokens.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type OptionSpec,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { EXIT } from './exit-codes.ts';
import { time } from './format.ts';

const DIRECTORY = '/etc/sm/pki';
const DAYS_MAX = 3650;
const HOST = /^(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

const IN: OptionSpec = {
  flags: '--directory <path>',
  text: 'where authority and certificates are',
  fallback: DIRECTORY,
};
const FOR_DAYS: OptionSpec = {
  flags: '--days <count>',
  text: 'how long it holds',
  fallback: String(CERTIFICATE_DAYS),
};
const NAME = { syntax: '<name>', text: 'name of the certificate, and of its files: NAME.pem and NAME.key' };

const directoryOf = (given: Given): string => text(given, 'directory', DIRECTORY);

function made(result: Result<Files>, lines: (files: Files) => readonly string[]): Outcome {
  if (!result.ok) return failed(result.error);
  const { certificate, key } = result.value;
  return {
    exit: EXIT.ok,
    lines: [certificate, key],
    problems: lines(result.value),
    json: { ok: true, certificate, key },
  };
}

function init({ wallMs }: Context, given: Given): Outcome {
  const cluster = text(given, 'cluster', given.settings.node);
  return made(makeAuthority(directoryOf(given), cluster, wallMs()), (files) => [
    `${files.key} can make anybody an admin: keep it on one node, or off both; ${files.certificate} may be known to all`,
  ]);
}

/** A text = what is wrong with the words. */
function purposeFrom(given: Given): Purpose | string {
  const names = text(given, 'server')
    .split(',')
    .filter((name) => name !== '');
  const word = text(given, 'role');
  if ((names.length === 0) === (word === ''))
    return 'give either --server with the names and addresses under which it is reached, or --role';
  if (word === '') {
    const wrong = names.find((name) => isIP(name) === 0 && !HOST.test(name));
    return wrong === undefined
      ? { kind: 'server', names }
      : `--server: '${wrong}' is neither a host name nor an address`;
  }
  const role = ROLES.find((known) => known === word);
  return role === undefined ? `--role must be one of ${ROLES.join(', ')}` : { kind: 'client', role };
}

/** null = it is no number of days. */
function daysOf(given: Given): number | null {
  const days = Number(text(given, 'days', String(CERTIFICATE_DAYS)));
  return Number.isInteger(days) && days >= 1 && days <= DAYS_MAX ? days : null;
}

const WRONG_DAYS = problem(EXIT.usage, 'usage', `--days takes a whole number from 1 to ${DAYS_MAX}`);

function issueOne({ wallMs }: Context, given: Given): Outcome {
  const [name = ''] = given.arguments;
  const purpose = purposeFrom(given);
  if (typeof purpose === 'string') return problem(EXIT.usage, 'usage', purpose);
  const days = daysOf(given);
  if (days === null) return WRONG_DAYS;
  const directory = directoryOf(given);
  return made(issue(directory, { name, purpose, days, now: wallMs(), renew: false }), (files) =>
    purpose.kind === 'server'
      ? [`name them in api.tls of sm.yaml; callers trust ${authorityFiles(directory).certificate}`]
      : [`give both to the caller alone: curl --cert ${files.certificate} --key ${files.key}`],
  );
}

function renew({ wallMs }: Context, given: Given): Outcome {
  const [name = ''] = given.arguments;
  const days = daysOf(given);
  if (days === null) return WRONG_DAYS;
  const directory = directoryOf(given);
  const before = purposeOf(directory, name);
  if (!before.ok) return failed(before.error);
  const { purpose, endsAt } = before.value;
  return made(issue(directory, { name, purpose, days, now: wallMs(), renew: true }), () => [
    `the one before held until ${time(endsAt)}; tell a running server: systemctl reload sm-api`,
  ]);
}

export const PKI: CommandSpec = {
  name: 'pki',
  summary: "The pair's own authority: certificates for the REST server and its callers",
  details: ['An authority of the house will do as well: api.tls takes any PEM files.'],
  commands: [
    {
      name: 'init',
      summary: 'Make the authority: ca.pem and ca.key',
      options: [{ flags: '--cluster <name>', text: 'its name; left out: that of this node' }, IN],
      run: init,
    },
    {
      name: 'issue',
      summary: 'Make a key and a certificate, for a server or for a caller',
      arguments: [NAME],
      options: [
        { flags: '--server <names>', text: 'host names and addresses of the server, with commas between' },
        { flags: '--role <role>', text: 'for a caller who may act as reader, operator or admin' },
        FOR_DAYS,
        IN,
      ],
      examples: [
        'smctl pki issue controller-0 --server controller-0,10.77.1.1',
        'smctl pki issue orchestrator --role operator --days 30',
      ],
      run: issueOne,
    },
    {
      name: 'renew',
      summary: 'Make a new key and certificate for the same names or role, in the place of the old ones',
      arguments: [NAME],
      options: [FOR_DAYS, IN],
      run: renew,
    },
  ],
};
