/**
 * Takes secrets out of texts that leave the machine. Two ways together: a value that stands behind the name of a secret
 * goes wherever it is written so, and values that are known to be secret go wherever they stand.
 */
import { isSecretName, parametersIn, SECRET_WORDS } from '../../core/kernel/secret-names.ts';

export const CENSORED = '[secret]';

/** In running text `auth` goes before what authenticates; as the name of a parameter it says by which method. */
const WRITTEN_WORDS = `${SECRET_WORDS}|auth`;

/** Shorter values would take half of every text with them. */
const KNOWN_CHARACTERS_MIN = 6;

const PEM = /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g;
/** `https://name:word@host`, `postgresql://...`. Bounds, here and below: no text may take the square of its length. */
const IN_ADDRESS = /\b([a-z][a-z0-9+.-]{0,31}:\/\/[^\s/:@]*):[^\s/]+@/gi;
/** Header lines to their end, whatever the scheme: `Authorization: Digest username="a", response="b"`. */
const HEADER =
  /\b((?:(?:proxy-)?authorization|(?:set-)?cookie):\s*)(?=[^\s"'\\])(?:=\\?"[^"]*"|[^\r\n"'\\])+/gi;
/** Authorization: Bearer abc */
const BEARER = /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi;
const VALUE = `\\{[^{}]{0,4096}\\}|\\\\"[^"\\\\]*\\\\"|"(?:[^"\\\\]|\\\\.)*"|'[^']*'|\\[[^\\]]{0,4096}\\]|[^\\s,;"'}\\])&]+`;
/** `name=value`, `name: value`, `"name":"value"`, also in a text within a text. */
const ASSIGNED = new RegExp(`((?:${WRITTEN_WORDS})\\\\?["']?\\s*[:=]\\s*)(${VALUE})`, 'gi');
/** Options of programs whose secrets have no name: what a script prints under `set -x`. */
const UNNAMED =
  /(\s(?:-u|--user)\s+[^\s:]+:|\bsshpass\s+-p\s*|\bmysql\w*\s(?:[^\n]{0,1024}\s)?-p)[^\s"'\\]+/g;
/** `--name value` */
const OPTION = new RegExp(`((?<![\\w-])--[\\w-]{0,64}(?:${WRITTEN_WORDS})\\s+)(${VALUE})`, 'gi');

export class Secrets {
  readonly #known = new Set<string>();
  #pattern: RegExp | null = null;

  /** A value that must not leave the machine, however it is written. */
  add(value: string): void {
    if (value.length < KNOWN_CHARACTERS_MIN || value === CENSORED) return;
    for (const form of [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), base64(value)])
      this.#known.add(form);
    this.#pattern = null;
  }

  /** Everything below a name that is secret, in a parsed document; each line, for indentations differ. */
  learnDocument(value: unknown, secret = false): void {
    if (value !== null && typeof value === 'object') {
      for (const [name, part] of Object.entries(value))
        this.learnDocument(part, secret || isSecretName(name));
    } else if (secret) for (const line of String(value).split('\n')) this.add(line.trim());
  }

  /** Of a list `name=value,name=value`: remembers what is secret in it. */
  learn(parameters: string): void {
    for (const { name, value } of parametersIn(parameters))
      if (value !== null && isSecretName(name.trim())) this.add(value.trim());
  }

  clean(text: string): string {
    const plain = text
      .replace(PEM, CENSORED)
      .replace(IN_ADDRESS, `$1:${CENSORED}@`)
      .replace(HEADER, `$1${CENSORED}`)
      .replace(UNNAMED, `$1${CENSORED}`)
      .replace(BEARER, `$1 ${CENSORED}`)
      .replace(OPTION, (_all, option: string, value: string) => option + quoted(value))
      .replace(ASSIGNED, (_all, name: string, value: string) => name + quoted(value));
    return this.cleanKnown(plain);
  }

  /** Only of values that are known to be secret: what merely looks so remains. */
  cleanKnown(text: string): string {
    this.#pattern ??= this.#makePattern();
    return this.#pattern === null ? text : text.replace(this.#pattern, CENSORED);
  }

  #makePattern(): RegExp | null {
    if (this.#known.size === 0) return null;
    // The longest first: one may be the beginning of another.
    const words = [...this.#known].sort((a, b) => b.length - a.length);
    return new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  }
}

/** What was quoted stays so: JSON has to remain JSON. */
function quoted(value: string): string {
  if (value.startsWith('{')) return quoted(value.includes('\\"') ? '\\"' : '"');
  if (value.endsWith('\\"')) return `\\"${CENSORED}\\"`;
  const last = value.at(-1);
  return last === '"' || last === "'" ? `${last}${CENSORED}${last}` : CENSORED;
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64').replace(/=+$/, '');
}
