import type { TabLocks } from '../../src/database/indexeddb.js'

interface Request {
  readonly run: () => Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Makes `navigator.locks`, as the specification has them: a queue, and signals. */
export function createFakeLocks(): TabLocks {
  const queues = new Map<string, Request[]>()
  const held = new Map<string, Request>()

  function queueOf(name: string): Request[] {
    const queue = queues.get(name) ?? []
    queues.set(name, queue)
    return queue
  }

  function grantNext(name: string): void {
    const request = held.has(name) ? undefined : queueOf(name).shift()
    if (request === undefined) return
    held.set(name, request)
    const free = (): void => {
      if (held.get(name) !== request) return
      held.delete(name)
      grantNext(name)
    }
    void Promise.resolve().then(request.run).then(request.resolve, request.reject).finally(free)
  }

  return {
    request(name, { signal }, run) {
      return new Promise<void>((resolve, reject) => {
        const request = { run, resolve, reject }
        if (signal?.aborted === true) {
          reject(new DOMException('aborted', 'AbortError'))
          return
        }
        signal?.addEventListener('abort', () => {
          const queue = queueOf(name)
          if (!queue.includes(request)) return
          queues.set(
            name,
            queue.filter((other) => other !== request),
          )
          reject(new DOMException('aborted', 'AbortError'))
        })
        queueOf(name).push(request)
        grantNext(name)
      })
    },
  }
}
