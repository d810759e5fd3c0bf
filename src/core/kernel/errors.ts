/**
 * Errors of operation are values: a code that programs test and a sentence that says what happened and what to do. Every
 * code stands in this table, with its meaning; docs and tests are made from it.
 */
export const ERRORS = {
  SM_CONFIG_UNREADABLE: 'The configuration file can not be read.',
  SM_CONFIG_SYNTAX: 'The configuration file is not YAML.',
  SM_CONFIG_INVALID: 'The configuration file has unknown keys or wrong values.',
  SM_KEY_NAME: 'The name can not be the name of a key.',
  SM_KEY_MISSING: 'There is no key file of this name.',
  SM_KEY_UNREADABLE: 'The key file can not be read or written.',
  SM_KEY_MODE: 'Others than the owner may read or change the key file.',
  SM_KEY_OWNER: 'The key file belongs to somebody else.',
  SM_KEY_LENGTH: 'The key is too short or too long.',
  SM_KEY_PUBLIC: 'The key is known to the public.',
  SM_KEY_EXISTS: 'A key of this name exists already.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface CodedError {
  readonly code: ErrorCode;
  /** What happened to what, and what to do. */
  readonly message: string;
}

export function coded(code: ErrorCode, message: string): CodedError {
  return { code, message };
}
