/**
 * Which values nobody may read, by the names that they stand behind: in parameters, settings, columns and documents. One list
 * for whatever checks definitions, hides secrets in answers and takes them out of what leaves the machine.
 */

/** What a name ends with that is a secret in any text. Source of a regular expression without groups that capture. */
export const SECRET_WORDS =
  'pass(?:word|wd|phrase|code)?|pwd?|psk|secret|token|credentials?|authorization|community|key|hexadecimal_kg';

/** Names end with what the thing is: `auth_key` is a key, `key_id` and `keysDirectory` are not. Several have a number. */
const ENDS_WITH = new RegExp(`(?:${SECRET_WORDS}|[_.-]auth)[_-]?\\d*$`, 'i');
/** What is made of a secret, or is one of several, is one too: `passwordHash`, `rootpass_b64`, `db_pass_main`. */
const HOLDS = /(?<!com)pass(?!ive|age|ing)|secret|token|credential|private|community|(?:api|auth)[_.-]?key/i;
/** But this is only about it: where it lies, what makes it, how long it is waited for. Its id can be half of it. */
const ABOUT =
  /[_.-](?:script|file|path|dir|directory|name|type|prot|protocol|timeout|interval|length|policy)$/i;

export function isSecretName(name: string): boolean {
  // keysDirectory = keys_Directory
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1_$2');
  return ENDS_WITH.test(words) || (HOLDS.test(words) && !ABOUT.test(words));
}

/**
 * A list `name=value,name=value` in its parts, also where it is not quite one: a value may itself hold commas, up to the next
 * `name=` it belongs to the name before. Joined by commas the parts are the text again.
 */
export function parametersIn(
  text: string,
): readonly { readonly name: string; readonly value: string | null }[] {
  return text.split(/,(?=\s*[A-Za-z_][A-Za-z0-9_.-]*\s*=)/).map((part) => {
    const at = part.indexOf('=');
    return at < 0 ? { name: part, value: null } : { name: part.slice(0, at), value: part.slice(at + 1) };
  });
}
