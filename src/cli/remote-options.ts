/** Which REST server is asked, and with which credential: from the options of a command and the environment. */
import { readFileSync, statSync } from 'node:fs';
import type { RestOptions } from './rest.ts';

const FILE_BYTES_MAX = 1024 * 1024;

type Options = Readonly<Record<string, unknown>>;

/** Why it can not be used, as a sentence. */
class Unusable extends Error {}

/** A sentence when they can not be used. `token`: of the environment; '' = none. */
export function readRestOptions(options: Options, token: string): RestOptions | string {
  try {
    return read(options, token);
  } catch (error) {
    if (error instanceof Unusable) return error.message;
    throw error;
  }
}

function read(options: Options, token: string): RestOptions {
  const url = urlOf(String(options.url));
  const secure = url.protocol === 'https:';
  const path = (name: string): string | null => (typeof options[name] === 'string' ? options[name] : null);
  const [tokenFile, ca, cert, key] = ['tokenFile', 'ca', 'cert', 'key'].map(path);
  if ((cert == null) !== (key == null)) throw new Unusable('--cert and --key go together');
  if (!secure && (ca != null || cert != null))
    throw new Unusable('--ca, --cert and --key are for https:// alone');
  const own = tokenFile == null ? token : fileOf(tokenFile, true).trim();
  if (!/^[\x21-\x7e]*$/.test(own))
    throw new Unusable(
      `the token${tokenFile == null ? ' in SM_TOKEN' : ` in ${tokenFile}`} is no line of text`,
    );
  if (own !== '' && !secure && !isLoopback(url.hostname))
    throw new Unusable('a token is sent over https:// alone: it would cross the network in the clear');
  return {
    url,
    token: own,
    ...(ca == null ? {} : { ca: fileOf(ca, false) }),
    ...(cert == null ? {} : { cert: fileOf(cert, false) }),
    ...(key == null ? {} : { key: fileOf(key, true) }),
  };
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new Unusable(`--url takes an address like https://controller:7777, not '${text.slice(0, 128)}'`);
  // They would stand in the list of processes, and in logs.
  if (url.username !== '' || url.password !== '')
    throw new Unusable('--url takes no name and password: use --token-file');
  return url;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function fileOf(path: string, secret: boolean): string {
  try {
    const facts = statSync(path);
    if (!facts.isFile() && !facts.isFIFO()) throw new Unusable(`${path} is no file`);
    if (facts.size > FILE_BYTES_MAX) throw new Unusable(`${path} is larger than ${FILE_BYTES_MAX} bytes`);
    // A pipe, as of <(...), is nobody else's.
    if (secret && facts.isFile() && (facts.mode & 0o077) !== 0)
      throw new Unusable(`${path} may be read by others: chmod 0600 ${path}`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Unusable) throw error;
    throw new Unusable(`${path} can not be read: ${(error as Error).message}`);
  }
}
