/** What a write rejects with when another handle owns the outbox by now. */
export class LostError extends Error {
  constructor() {
    super('another handle owns the outbox by now')
  }
}

/** What a write rejects with after `release`. */
export function releasedError(): Error {
  return new Error('the outbox was released')
}

/** What every method rejects with after `close`. */
export function closedError(): Error {
  return new Error('the outbox was closed')
}
