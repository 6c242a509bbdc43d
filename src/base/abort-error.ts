/** What a wait rejects with when its signal aborts. */
export function abortError(): Error {
  return Object.assign(new Error('the wait was aborted'), { name: 'AbortError' })
}
