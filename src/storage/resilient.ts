import { type Clock, createSystemClock } from '../base/clock.js'
import { nameThrown, withDeadline } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertKey, type ValueChange, type KeyValueStore, promised } from './store.js'

/** A store whose methods never reject; see {@link createResilientStore}. */
export interface ResilientStore extends KeyValueStore {
  /** Whether everything written so far is where it outlives the process. */
  readonly isDurable: boolean
}

/** Options of {@link createResilientStore}. */
export interface ResilientStoreOptions {
  readonly clock?: Clock
  /** How long one operation may take, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number
  /** Told of each failure, with code `storage-failed`. Neither keys' values nor what was thrown are repeated. */
  readonly onError?: ReportError
}

type Operation = 'get' | 'set' | 'delete' | 'keys' | 'update' | 'watch'

/**
 * Puts memory behind a store that throws, is full or hangs, and says so: to `onError`, and in
 * `isDurable`.
 *
 * After a throw the next operation tries the store again. After a hang it is left alone, since
 * everyone would wait anew each time; only removals are still handed to it, so that what was to
 * be forgotten does not come back with the next run.
 */
export function createResilientStore(
  store: KeyValueStore,
  options: ResilientStoreOptions = {},
): ResilientStore {
  const { clock = createSystemClock(), timeoutMs: limitMs = 3_000, onError } = options
  // What is known of the store's values, and of which keys memory knows better.
  const known = new Map<string, string>()
  const unsaved = new Set<string>()
  let hangs = false

  async function attempt<T>(
    operation: Operation,
    run: (signal: AbortSignal) => PromiseLike<T>,
  ): Promise<{ readonly value: T } | undefined> {
    if (hangs) return undefined
    const settled = await withDeadline({ clock, limitMs }, run)
    switch (settled.kind) {
      case 'value':
        return settled
      case 'late':
        hangs = true
        report(operation, `gave no answer within ${limitMs} ms; memory is used instead`)
        return undefined
      case 'threw':
        report(operation, `failed (${nameThrown(settled.error)}); memory is used instead`)
        return undefined
      case 'aborted':
        return undefined
      default:
        return settled satisfies never
    }
  }

  // The cause is left out: a store's error may repeat what it was given, and that may be a token.
  function report(operation: Operation, what: string): void {
    onError?.(new SyncError('storage-failed', `The store's ${operation} ${what}.`))
  }

  function remember(key: string, value: string | undefined): void {
    if (value === undefined) known.delete(key)
    else known.set(key, value)
  }

  const isOurs = (key: string): boolean => hangs || unsaved.has(key)

  // One at a time, so that what is known of a key is the outcome of its last operation.
  let last: Promise<unknown> = Promise.resolve()
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = last.then(run)
    last = turn.catch(() => undefined)
    return turn
  }

  async function read(key: string): Promise<string | undefined> {
    if (!isOurs(key)) {
      const found = await attempt('get', () => store.get(key))
      if (found !== undefined) remember(key, asText(found.value))
    }
    return known.get(key)
  }

  async function write(key: string, value: string | undefined): Promise<void> {
    remember(key, value)
    unsaved.add(key)
    if (value === undefined && hangs) {
      promised(() => store.delete(key)).catch(() => undefined)
      return
    }
    const written = await (value === undefined
      ? attempt('delete', () => store.delete(key))
      : attempt('set', () => store.set(key, value)))
    if (written !== undefined) unsaved.delete(key)
  }

  async function update(key: string, change: ValueChange): Promise<string | undefined> {
    if (!isOurs(key)) {
      const thrown: unknown[] = []
      const updated = await attempt('update', (signal) =>
        store.update(key, (current) => {
          // A store that comes back to life after its time must not undo what memory went on with.
          if (signal.aborted) return current
          try {
            return change(current)
          } catch (error) {
            thrown.push(error)
            return current
          }
        }),
      )
      if (thrown.length > 0) throw thrown[0]
      if (updated !== undefined) {
        remember(key, asText(updated.value))
        return known.get(key)
      }
    }
    const next = change(await read(key))
    await write(key, next)
    return next
  }

  const resilient: ResilientStore = {
    get isDurable() {
      return !hangs && unsaved.size === 0
    },
    get: (key) => inTurn(() => read(key)),
    async set(key, value) {
      assertKey(key)
      await inTurn(() => write(key, value))
    },
    delete: (key) => inTurn(() => write(key, undefined)),
    keys: () =>
      inTurn(async () => {
        const found = await attempt('keys', () => store.keys())
        if (found === undefined) return [...known.keys()]
        const theirs = found.value.filter((key) => !isOurs(key))
        return [...theirs, ...[...known.keys()].filter(isOurs)]
      }),
    async update(key, change) {
      assertKey(key)
      return await inTurn(() => update(key, change))
    },
  }
  if (store.watch === undefined) return resilient
  const watch = store.watch.bind(store)
  return Object.defineProperty(resilient, 'watch', {
    enumerable: true,
    value: (changed: (key: string | undefined) => void) => watchSafely(watch, changed, report),
  })
}

function watchSafely(
  watch: NonNullable<KeyValueStore['watch']>,
  changed: (key: string | undefined) => void,
  report: (operation: Operation, what: string) => void,
): () => void {
  try {
    const stop = watch(changed)
    return () => {
      try {
        stop()
      } catch (error) {
        report('watch', `could not be stopped (${nameThrown(error)})`)
      }
    }
  } catch (error) {
    report('watch', `failed (${nameThrown(error)})`)
    return () => undefined
  }
}

// A store of the user's may give what it likes, `null` for what is not there above all.
function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
