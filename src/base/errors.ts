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
  | 'api-threw'
  | 'sync-threw'
  | 'notifier-failed'
  | 'not-signed-in'
  | 'token-unavailable'
  | 'authenticate-failed'
  | 'message-invalid'
  | 'log-failed'

/**
 * The one error class of the library: a literal `code` to switch on, a message for people, and
 * in `cause` whatever was thrown by the code that we called.
 *
 * It is thrown for misuse only (`option-invalid`, `protocol-invalid`, `message-invalid`,
 * `disposed`, `testing-misuse`); with every other code it is handed to `onError`. Expected
 * failures are data: see `ConnectionFailure` and `SendOutcome`.
 */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: SyncErrorCode

  constructor(code: SyncErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Throws a {@link SyncError} unless something holds: for what callers get wrong. */
export function assertThat(holds: boolean, code: SyncErrorCode, message: string): asserts holds {
  if (!holds) throw new SyncError(code, message)
}

/** Receives what user code threw and what went wrong beside the data's way. Must not throw. */
export type ReportError = (error: SyncError) => void
