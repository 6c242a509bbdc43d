import type { ResumeAnswer } from './resume-answer.js'

/** The way to the server, as long as one connection lasts. */
export type Channel =
  /** To a server that acknowledges nothing. */
  { readonly kind: 'plain' } | AcknowledgedChannel

/** The way to a server with delivery. */
export interface AcknowledgedChannel extends ResumeAnswer {
  readonly kind: 'acknowledged'
  /** The largest frame that the server accepts, in bytes. */
  readonly maxBytes: number
  /** The most messages that may be unacknowledged. */
  readonly window: number
}
