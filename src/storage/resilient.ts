import { type Clock, createSystemClock } from '../base/clock.js'
import { nameThrown, withDeadline } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertKey, type KeyValueStore, promised, type ValueChange } from './store.js'

/** Options of {@link createResilientStore}. */
export interface ResilientStoreOptions {
  readonly clock?: Clock
  /** How long one operation may take, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number
  /**
   * Called for each failure, with code `storage-failed`. The error contains neither values nor
   * what was thrown.
   */
  readonly onError?: ReportError
}

type StoreOperation = 'get' | 'set' | 'delete' | 'keys' | 'update' | 'watch'

/** A store whose methods never reject; see {@link createResilientStore}. */
export class ResilientStore implements KeyValueStore {
  readonly #store: KeyValueStore
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #onError: ReportError | undefined
  /** The values as far as they were read or written here. */
  readonly #known = new Map<string, string>()
  /** The keys whose last write failed: memory has the newer value. */
  readonly #unsaved = new Set<string>()
  #hasTimedOut = false
  /** Settles when the last operation is done. They run one at a time, so the last one of a key counts. */
  #last: Promise<unknown> = Promise.resolve()
  /** Absent if the store has none. */
  declare readonly watch?: NonNullable<KeyValueStore['watch']>

  /** @internal */
  constructor(store: KeyValueStore, options: ResilientStoreOptions) {
    this.#store = store
    this.#clock = options.clock ?? createSystemClock()
    this.#timeoutMs = options.timeoutMs ?? 3_000
    this.#onError = options.onError
    if (store.watch !== undefined) this.watch = (changed) => this.#watch(changed)
  }

  /** Whether everything written so far survives the process. */
  get isDurable(): boolean {
    return !this.#hasTimedOut && this.#unsaved.size === 0
  }

  get(key: string): Promise<string | undefined> {
    return this.#inTurn(() => this.#read(key))
  }

  async set(key: string, value: string): Promise<void> {
    assertKey(key)
    await this.#inTurn(() => this.#write(key, value))
  }

  delete(key: string): Promise<void> {
    return this.#inTurn(() => this.#write(key, undefined))
  }

  keys(): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const found = await this.#attempt('keys', () => this.#store.keys())
      if (found === undefined) return [...this.#known.keys()]
      const stored = found.value.filter((key) => !this.#isNewerHere(key))
      return [...stored, ...[...this.#known.keys()].filter((key) => this.#isNewerHere(key))]
    })
  }

  async update(key: string, change: ValueChange): Promise<string | undefined> {
    assertKey(key)
    return await this.#inTurn(() => this.#update(key, change))
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  #isNewerHere(key: string): boolean {
    return this.#hasTimedOut || this.#unsaved.has(key)
  }

  async #read(key: string): Promise<string | undefined> {
    if (!this.#isNewerHere(key)) {
      const found = await this.#attempt('get', () => this.#store.get(key))
      if (found !== undefined) this.#remember(key, textOrNothing(found.value))
    }
    return this.#known.get(key)
  }

  async #write(key: string, value: string | undefined): Promise<void> {
    this.#remember(key, value)
    this.#unsaved.add(key)
    if (value === undefined && this.#hasTimedOut) {
      promised(() => this.#store.delete(key)).catch(() => undefined)
      return
    }
    const written = await (value === undefined
      ? this.#attempt('delete', () => this.#store.delete(key))
      : this.#attempt('set', () => this.#store.set(key, value)))
    if (written !== undefined) this.#unsaved.delete(key)
  }

  async #update(key: string, change: ValueChange): Promise<string | undefined> {
    if (!this.#isNewerHere(key)) {
      const updated = await this.#updateStored(key, change)
      if (updated !== undefined) {
        this.#remember(key, textOrNothing(updated.value))
        return this.#known.get(key)
      }
    }
    const next = change(await this.#read(key))
    await this.#write(key, next)
    return next
  }

  // Throws what `change` throws: that is no failure of the store.
  async #updateStored(
    key: string,
    change: ValueChange,
  ): Promise<{ readonly value: unknown } | undefined> {
    const thrown: unknown[] = []
    const updated = await this.#attempt('update', (signal) =>
      this.#store.update(key, (current) => {
        // After the timeout memory has the newer value. A store that recovers must not apply this.
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
    return updated
  }

  #watch(changed: (key: string | undefined) => void): () => void {
    try {
      const stop = this.#store.watch?.(changed)
      return () => {
        try {
          stop?.()
        } catch (error) {
          this.#report('watch', `could not be stopped (${nameThrown(error)})`)
        }
      }
    } catch (error) {
      this.#report('watch', `failed (${nameThrown(error)})`)
      return () => undefined
    }
  }

  async #attempt<T>(
    operation: StoreOperation,
    run: (signal: AbortSignal) => PromiseLike<T>,
  ): Promise<{ readonly value: T } | undefined> {
    if (this.#hasTimedOut) return undefined
    const limitMs = this.#timeoutMs
    const settled = await withDeadline({ clock: this.#clock, limitMs }, run)
    if (settled.kind === 'value') return settled
    this.#hasTimedOut = settled.kind === 'late'
    const problem =
      settled.kind === 'threw'
        ? `failed (${nameThrown(settled.error)})`
        : `did not answer within ${limitMs} ms`
    this.#report(operation, `${problem}; memory is used instead`)
    return undefined
  }

  // Without the cause: a store's exception may contain the value, and that may be a token.
  #report(operation: StoreOperation, what: string): void {
    this.#onError?.(new SyncError('storage-failed', `The store's ${operation} ${what}.`))
  }

  #remember(key: string, value: string | undefined): void {
    if (value === undefined) this.#known.delete(key)
    else this.#known.set(key, value)
  }
}

/**
 * Adds memory to a store that may throw, be full or hang. Each failure goes to `onError`, and
 * `isDurable` is false while memory has something that the store has not.
 *
 * After an exception the next operation tries the store again. After a timeout the store is not
 * used any more, as each operation would wait again. Only deletions still go to it, so that
 * deleted values do not come back in the next run.
 */
export function createResilientStore(
  store: KeyValueStore,
  options: ResilientStoreOptions = {},
): ResilientStore {
  return new ResilientStore(store, options)
}

// A store of the user's may give anything, often `null` for a missing value.
function textOrNothing(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
