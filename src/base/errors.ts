/**
 * Every code that a {@link SyncError} can carry; each is explained in docs/errors.md.
 */
export type SyncErrorCode =
  | 'option-invalid'
  | 'protocol-invalid'
  | 'disposed'
  | 'handler-threw'
  | 'fold-threw'
  | 'selector-threw'
  | 'snapshot-failed'
  | 'provider-rejected'
  | 'environment-failed'
  | 'transport-threw'
  | 'testing-misuse'
  | 'storage-failed'
  | 'storage-damaged'
  | 'api-threw'
  | 'sync-threw'
  | 'notifier-failed'
  | 'not-signed-in'
  | 'token-unavailable'
  | 'authenticate-failed'
  | 'message-invalid'
  | 'log-failed'

/**
 * The library's only error class. It has a literal `code` to switch on and a message for people;
 * `cause` is what the user's code threw.
 *
 * It is thrown for misuse only (`option-invalid`, `protocol-invalid`, `message-invalid`,
 * `disposed`, `testing-misuse`). Errors with any other code go to `onError`. Expected failures are
 * data: see `ConnectionFailure` and `SendOutcome`.
 */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: SyncErrorCode

  constructor(code: SyncErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Throws a {@link SyncError} unless a condition holds: for mistakes of the caller. */
export function assertThat(holds: boolean, code: SyncErrorCode, message: string): asserts holds {
  if (!holds) throw new SyncError(code, message)
}

/** Throws `option-invalid` unless a condition holds. The message names the option. */
export function assertOption(holds: boolean, message: string): asserts holds {
  assertThat(holds, 'option-invalid', message)
}

/** Receives errors of user code, and failures that no result reports. Must not throw. */
export type ReportError = (error: SyncError) => void
