/** What `acquire` rejects with once its signal is aborted, or its handle closed. */
export function abortError(): Error {
  return Object.assign(new Error('nobody waits for it any more'), { name: 'AbortError' })
}

/** What a write rejects with where another handle owns the outbox by now. */
export class LostError extends Error {
  constructor() {
    super('another handle owns the outbox by now')
  }
}

/** What a write rejects with after `release`. */
export function releasedError(): Error {
  return new Error('the outbox was released')
}

/** What everything rejects with after `close`. */
export function closedError(): Error {
  return new Error('the outbox was closed')
}
