/**
 * Failures as clients of this API read them: `{"error_message": "<JSON text>", "code": "SM_..."}`. The text inside is a
 * WSME fault, of which smc prints `faultstring`; a failed node action has its own result there, which mtce and sysinv read.
 */
import { type CodedError, codedError, ERRORS, type ErrorCode } from '../core/kernel/errors.ts';

export class Problem extends Error {
  override name = 'Problem';
  readonly code: ErrorCode;
  readonly status: number;
  /** In the place of the fault. */
  readonly result: object | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    error: CodedError,
    result: object | null = null,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(error.message);
    this.code = error.code;
    this.status = ERRORS[error.code].httpStatus;
    this.result = result;
    this.headers = headers;
  }
}

export function problem(code: ErrorCode, values: Readonly<Record<string, string | number>> = {}): Problem {
  return new Problem(codedError(code, values));
}

export function problemBody({ code, message, status, result }: Problem): object {
  const fault = { faultcode: status < 500 ? 'Client' : 'Server', faultstring: message, debuginfo: null };
  return { error_message: JSON.stringify(result ?? fault), code };
}
