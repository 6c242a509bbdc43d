/**
 * Resolves once everything that comes in this turn of the event loop has come: all that was read
 * from sockets, and all that code does with it without waiting for anything else.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
