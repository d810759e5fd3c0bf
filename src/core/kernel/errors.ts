/**
 * Every failure that an operator or a client can meet: a code that is never reused, a sentence that says what to do,
 * the exit code of the tool and the HTTP status that go with it. docs/reference/errors.md lists them; a test compares.
 */

interface ErrorEntry {
  /** `{name}` is replaced by the value of that name. */
  readonly sentence: string;
  /** 1: the answer is no. 2: called wrongly. 3: the store can not be used. 4: `sm` is not there. 5: refused. */
  readonly exitCode: 1 | 2 | 3 | 4 | 5;
  readonly httpStatus: 400 | 401 | 403 | 404 | 405 | 409 | 412 | 413 | 415 | 429 | 500 | 501 | 503;
}

export const ERRORS = {
  SM_CONFIG_UNREADABLE: {
    sentence:
      'The configuration {path} can not be read ({detail}). Check that it exists and that this user may read it.',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_CONFIG_INVALID: {
    sentence: 'The configuration {path} can not be used. Correct: {detail}',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_KEY_NAME: {
    sentence:
      "'{name}' can not be the name of a key. Use 1 to 64 letters, digits, dots, underscores and dashes, a letter or digit first.",
    exitCode: 2,
    httpStatus: 400,
  },
  SM_KEY_MISSING: {
    sentence:
      '{path} does not exist. Make the key once with smctl key new {name} and copy the file to the other node.',
    exitCode: 1,
    httpStatus: 404,
  },
  SM_KEY_UNREADABLE: {
    sentence:
      '{path} can not be used as a key file ({detail}). It must be a regular file that this user may read.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_KEY_MODE: {
    sentence:
      '{path} has mode {mode}: others may use it. Run chmod 0600 {path}; if others may have read it, make a new key.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_KEY_OWNER: {
    sentence:
      '{path} belongs to uid {uid}. Only root or the user that sm runs as may own a key: change its owner.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_KEY_UNFIT: {
    sentence: '{path} can not be a key: {detail}. Make one with smctl key new.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_KEY_PUBLIC: {
    sentence:
      "{what} is refused: StarlingX ships 'titanium-server' as the key of every installation, in public source code, so it protects nothing. Make a key with smctl key new.",
    exitCode: 1,
    httpStatus: 400,
  },
  SM_KEY_EXISTS: {
    sentence: '{path} exists already. Choose another name; remove the old key once no interface names it.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_SECRET_UNFIT: {
    sentence:
      '{place} can not be used as a secret ({detail}). It must be a regular file of mode 0600 with a line of text, or a variable of the environment.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_FENCE_UNARMED: {
    sentence:
      '{port} can not be armed ({detail}), and a node that counts on it must not run without. Mend that, or configure another self-fence.',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_STORE_CORRUPT: {
    sentence:
      '{path} is damaged ({detail}). Nothing in it was changed. Move it aside and start again with a definition set, or bring back a copy.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_NOT_A_DATABASE: {
    sentence:
      '{path} is not an SQLite database. Nothing in it was changed. Name another file, or move it aside.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_LOCKED: {
    sentence:
      '{path} is locked by another process. Close the program that writes to it (a sqlite3 shell in a transaction?) and try again.',
    exitCode: 3,
    httpStatus: 503,
  },
  SM_STORE_NEWER: {
    sentence:
      '{path} has schema version {found}; this program knows up to {known}. Nothing in it was changed. Use the newer program, or bring back a copy from before the upgrade.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_FOREIGN: {
    sentence:
      '{path} is a database that this program did not make ({detail}). Nothing in it was changed. To use its definitions, check it with smctl check and seed a new store from it.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_READ_ONLY: {
    sentence:
      '{path} can not be written ({detail}). Nothing in it was changed. Check owner, mode and mount of the file and of its directory.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_MISSING: {
    sentence: '{path} does not exist. Start sm once, or name another file.',
    exitCode: 3,
    httpStatus: 503,
  },
  SM_STORE_OPEN: {
    sentence:
      '{path} can not be opened ({detail}). Check that its directory exists and that this user may enter it.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_WRITE: {
    sentence:
      '{path} could not be written ({detail}). Nothing of this turn was stored. Check the disk and its free space.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_STORE_LINK: {
    sentence:
      '{path} could not be made a link to {target} ({detail}). Tools that know only that path do not find the database; move aside what is there.',
    exitCode: 3,
    httpStatus: 500,
  },
  SM_SET_MISSING: {
    sentence: '{path} is neither a folder of numbered .sql files nor a database. Name a definition set.',
    exitCode: 2,
    httpStatus: 404,
  },
  SM_SET_EMPTY: {
    sentence: '{path} holds no file named like 10-name.sql. Name a definition set.',
    exitCode: 2,
    httpStatus: 400,
  },
  SM_SET_FATAL: {
    sentence: '{path} can not be used: {detail}. Correct it; smctl check {path} lists everything.',
    exitCode: 1,
    httpStatus: 400,
  },
  SM_SETUP_EXISTS: {
    sentence:
      '{path} exists already: this node is set up, and nothing was changed. To set it up anew, stop sm and move {path} aside.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_SETUP_PAIR: {
    sentence: 'The pair can not be set up. Correct: {detail}',
    exitCode: 2,
    httpStatus: 400,
  },
  SM_NODES_REFUSED: {
    sentence: 'The set of nodes stays as it is: {detail}.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_RESTART_REFUSED: {
    sentence:
      'sm is not started anew, and runs on: what is installed could not take over ({detail}). Correct that, or install the version that runs.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_SETUP_WRITE: {
    sentence:
      '{path} could not be written ({detail}). What was made so far was removed. Run it as root, and check the disk.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_SETUP_BUNDLE: {
    sentence:
      '{path} is not what smctl init made ({detail}). Copy the file again from the other node, with its mode (scp -p).',
    exitCode: 2,
    httpStatus: 400,
  },
  SM_TOKENS_UNREADABLE: {
    sentence: '{path} can not be read ({detail}). The REST server needs it: check its owner and mode.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_TOKENS_MODE: {
    sentence: '{path} has mode {mode}: others may use it. Run chmod 0600 {path}.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_TOKENS_INVALID: {
    sentence:
      '{path} is not a list of tokens ({detail}). Nothing in it was changed. Move it aside and create the tokens anew with smctl token create.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_TOKENS_WRITE: {
    sentence:
      '{path} could not be written ({detail}). The tokens are as they were. Run it as root, and check the disk.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_TOKENS_FULL: {
    sentence: '{path} holds {limit} tokens already. Revoke some with smctl token revoke.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_TOKEN_NAME: {
    sentence:
      "'{name}' can not be the name of a token. Use 1 to 64 letters, digits, dots, underscores, dashes and @, a letter or digit first.",
    exitCode: 2,
    httpStatus: 400,
  },
  SM_TOKEN_EXISTS: {
    sentence:
      'There is a token {name} already. Revoke it first with smctl token revoke {name}, or choose another name.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_TOKEN_MISSING: {
    sentence: 'There is no token {name}. smctl token list shows their names.',
    exitCode: 1,
    httpStatus: 404,
  },
  SM_PKI_EXISTS: {
    sentence: '{path} exists already, and nothing was changed. smctl pki renew makes a certificate anew.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_PKI_NAME: {
    sentence:
      "'{name}' can not be the name of a certificate. Use 1 to 64 letters, digits, dots, underscores, dashes and @, a letter or digit first; not ca.",
    exitCode: 2,
    httpStatus: 400,
  },
  SM_PKI_AUTHORITY: {
    sentence:
      'The authority in {path} can not be used ({detail}). Make it once with smctl pki init, or name its directory with --directory.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_PKI_WRITE: {
    sentence: '{path} could not be written ({detail}). Run it as root, and check the disk.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_PKI_UNREADABLE: {
    sentence: '{path} is not a certificate that can be renewed ({detail}). Make it with smctl pki issue.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_API_ADDRESS: {
    sentence:
      'The REST server does not listen on {address} without TLS: tokens would cross the network in the clear. Set api.tls in the configuration (smctl pki issue makes the files), or api.address to 127.0.0.1.',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_API_CREDENTIAL: {
    sentence:
      'The REST server does not listen on {address} while nobody could prove who he is: create a token with smctl token create, or set api.tls.clientCa.',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_API_LISTEN: {
    sentence: 'The REST server can not listen on {address} port {port} ({detail}).',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_API_TLS: {
    sentence: 'The REST server can not use its TLS files: {detail}. Make them with smctl pki issue.',
    exitCode: 2,
    httpStatus: 500,
  },
  SM_API_NOT_FOUND: { sentence: 'There is no {what} {name}.', exitCode: 1, httpStatus: 404 },
  SM_API_PATH: {
    sentence: 'There is nothing at {path}. GET /v1 lists the resources.',
    exitCode: 1,
    httpStatus: 404,
  },
  SM_API_METHOD: {
    sentence: '{path} does not take {method}; it takes {allowed}.',
    exitCode: 2,
    httpStatus: 405,
  },
  SM_API_INPUT: { sentence: '{place}: {detail}.', exitCode: 2, httpStatus: 400 },
  SM_API_BODY: { sentence: 'The body can not be used: {detail}.', exitCode: 2, httpStatus: 400 },
  SM_API_BODY_SIZE: {
    sentence: 'The body has more than {limit} bytes.',
    exitCode: 2,
    httpStatus: 413,
  },
  SM_API_BODY_TYPE: {
    sentence: 'A body has to be JSON: send Content-Type: application/json.',
    exitCode: 2,
    httpStatus: 415,
  },
  SM_API_TOKEN: {
    sentence:
      'Who asks is not known: send a token in X-Auth-Token or as Authorization: Bearer. smctl token create makes one.',
    exitCode: 5,
    httpStatus: 401,
  },
  SM_API_ROLE: {
    sentence: 'Not authorized: this needs the role {needed}, and {who} has {held}.',
    exitCode: 5,
    httpStatus: 403,
  },
  SM_API_REFUSED: { sentence: '{detail}', exitCode: 5, httpStatus: 409 },
  SM_API_PRECHECK: { sentence: '{detail}', exitCode: 5, httpStatus: 400 },
  SM_API_CHANGED: {
    sentence: 'It has changed since it was read: read it again and decide anew.',
    exitCode: 5,
    httpStatus: 412,
  },
  SM_API_KEY_REUSED: {
    sentence: 'The Idempotency-Key was used for another request. Make a new one for each action.',
    exitCode: 2,
    httpStatus: 409,
  },
  SM_API_RATE: {
    sentence: 'Too many requests of this caller: try again in {seconds} s.',
    exitCode: 5,
    httpStatus: 429,
  },
  SM_API_BUSY: {
    sentence: 'The REST server has too much to do: try again in a second.',
    exitCode: 4,
    httpStatus: 503,
  },
  SM_API_DAEMON: {
    sentence:
      'sm does not answer on this node ({detail}). Reads still work, from the database; changes do not.',
    exitCode: 4,
    httpStatus: 503,
  },
  SM_API_READ_ONLY: {
    sentence: 'Definitions are changed with SQL, not here: see smctl check.',
    exitCode: 5,
    httpStatus: 501,
  },
  SM_STOP_SCRIPT: {
    sentence: '{detail}. Everything that {service} had started was killed instead of stopping it.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_STOP_SCRIPT_NEEDED: {
    sentence:
      '{detail}. What {service} had started was killed, but what it holds ({left}) can only be taken down by its script: install it, or take it down by hand.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_API_INTERNAL: {
    sentence: 'The REST server could not answer; its log tells more under request {request}.',
    exitCode: 1,
    httpStatus: 500,
  },
  SM_EDIT_MISSING: { sentence: 'There is no {what}. Nothing was changed.', exitCode: 1, httpStatus: 404 },
  SM_EDIT_REFUSED: {
    sentence: 'Nothing was changed: {detail}. smctl check tells what is wrong with definitions.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_COLLECT_EXISTS: {
    sentence: '{path} exists already, and nothing was changed. Name another file with --out.',
    exitCode: 5,
    httpStatus: 409,
  },
  SM_COLLECT_WRITE: {
    sentence:
      '{path} could not be written ({detail}). Nothing of it was left behind. Name a file on another disk with --out, or make room.',
    exitCode: 1,
    httpStatus: 500,
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** A failure as a value. `message` is complete, what happened to what and what to do: people need nothing else. */
export interface CodedError {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: CodedError };

/** With the table's sentence, its holes filled. */
export function codedError(code: ErrorCode, values: Readonly<Record<string, string | number>>): CodedError {
  const message = ERRORS[code].sentence.replace(/\{(\w+)\}/g, (hole, name: string) =>
    String(values[name] ?? hole),
  );
  return { code, message };
}

export function failure(
  code: ErrorCode,
  values: Readonly<Record<string, string | number>>,
): { readonly ok: false; readonly error: CodedError } {
  return { ok: false, error: codedError(code, values) };
}
