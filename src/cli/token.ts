/** `smctl token`: who may ask the REST server, for what, until when. A token is shown once, when it is made. */
import {
  createToken,
  ROLES,
  type Role,
  readTokens,
  revokeToken,
  type Token,
} from '../shell/credentials/tokens.ts';
import {
  type CommandSpec,
  type Context,
  failed,
  type Given,
  type Outcome,
  problem,
  text,
} from './command.ts';
import { EXIT } from './exit-codes.ts';
import { type Cell, columns, parseDuration, plain, time } from './format.ts';

const FOR_FALLBACK = '90d';

function create({ actor, wallMs }: Context, given: Given): Outcome {
  const [name = ''] = given.arguments;
  const role = ROLES.find((known) => known === text(given, 'role', 'reader'));
  if (role === undefined) return problem(EXIT.usage, 'usage', `--role must be one of ${ROLES.join(', ')}`);
  const words = text(given, 'for', FOR_FALLBACK);
  const forMs = words === 'ever' ? 0 : parseDuration(words);
  if (forMs === null || (forMs === 0 && words !== 'ever'))
    return problem(EXIT.usage, 'usage', `--for ${words}: give a duration like 12h or 90d, or ever`);
  const now = wallMs();
  const expiresAt = forMs === 0 ? 0 : now + forMs;
  const path = given.settings.api.tokensFile;
  const made = createToken(path, { name, role, expiresAt, createdBy: actor, now });
  if (!made.ok) return failed(made.error);
  return {
    exit: EXIT.ok,
    lines: [made.value],
    problems: [
      `shown only now; it holds ${until(expiresAt)}. Send it as X-Auth-Token, or as Authorization: Bearer`,
    ],
    json: { ok: true, name, role, token: made.value, expiresAt: iso(expiresAt) },
  };
}

const iso = (at: number): string | null => (at === 0 ? null : time(at));
const until = (at: number): string => (at === 0 ? 'until it is revoked' : `until ${time(at)}`);

function list({ wallMs }: Context, given: Given): Outcome {
  const read = readTokens(given.settings.api.tokensFile);
  if (!read.ok) return failed(read.error);
  const now = wallMs();
  const rows = read.value.map((token): Cell[] => [
    token.name,
    token.role,
    isOver(token, now) ? `expired ${time(token.expiresAt)}` : until(token.expiresAt),
    `made ${time(token.createdAt)} by ${token.createdBy}`,
  ]);
  return {
    exit: EXIT.ok,
    lines: rows.length === 0 ? ['no tokens: smctl token create NAME --role operator'] : columns(rows, plain),
    json: {
      tokens: read.value.map((token) => ({
        name: token.name,
        role: token.role satisfies Role,
        expiresAt: iso(token.expiresAt),
        expired: isOver(token, now),
        createdAt: time(token.createdAt),
        createdBy: token.createdBy,
      })),
    },
  };
}

const isOver = ({ expiresAt }: Token, now: number): boolean => expiresAt !== 0 && expiresAt <= now;

function revoke(_context: Context, given: Given): Outcome {
  const [name = ''] = given.arguments;
  const done = revokeToken(given.settings.api.tokensFile, name);
  if (!done.ok) return failed(done.error);
  return { exit: EXIT.ok, lines: [`${name} is worth nothing any more`], json: { ok: true, name } };
}

const NAME = { syntax: '<name>', text: 'name of the token, as the history and the audit show it' };

export const TOKEN: CommandSpec = {
  name: 'token',
  summary: 'Tokens with which callers prove themselves to the REST server',
  details: [
    'The server looks at the file for each request: what is changed holds at once, without a restart.',
  ],
  commands: [
    {
      name: 'create',
      summary: 'Make a token of 256 random bits and show it, once',
      arguments: [NAME],
      options: [
        { flags: '--role <role>', text: 'reader, operator (may order) or admin', fallback: 'reader' },
        {
          flags: '--for <duration>',
          text: 'how long it holds, like 12h or 90d; ever',
          fallback: FOR_FALLBACK,
        },
      ],
      examples: ['smctl token create orchestrator --role operator --for 365d'],
      run: create,
    },
    {
      name: 'list',
      summary: 'Name the tokens, their roles and ends; never the tokens themselves',
      run: list,
    },
    { name: 'revoke', summary: 'End a token, at once', arguments: [NAME], run: revoke },
  ],
};
