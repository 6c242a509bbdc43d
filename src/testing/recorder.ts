import type { Clock } from '../base/clock.js'
import type { ReportError, SyncError } from '../base/errors.js'

/** The part of an RxJS observable that a recorder uses. */
export interface Watchable<T> {
  subscribe(next: (value: T) => void): { unsubscribe(): void }
}

/** The streams that a recorder records, if the client has them. A `SyncClient` has all of them. */
export interface Recordable {
  readonly status$?: Watchable<unknown>
  readonly state$?: Watchable<unknown>
  readonly messages$?: Watchable<unknown>
  readonly unknown$?: Watchable<unknown>
  readonly invalid$?: Watchable<unknown>
}

const streams = {
  status: 'status$',
  state: 'state$',
  message: 'messages$',
  unknown: 'unknown$',
  invalid: 'invalid$',
} as const

type Streams = typeof streams
type Watched<Stream> = Stream extends Watchable<infer Value> ? Value : never

/** The values that a recorder records of a client, by kind. */
export type RecordedValues<C extends Recordable> = {
  readonly [Kind in keyof Streams]: Watched<C[Streams[Kind]]>
} & { readonly error: SyncError }

/** One entry of a recording; `at` is the clock's `now()`. */
export type RecordedEntry<C extends Recordable> = {
  [Kind in keyof RecordedValues<C>]: {
    readonly at: number
    readonly kind: Kind
    readonly value: RecordedValues<C>[Kind]
  }
}[keyof RecordedValues<C>]

/** What a client did, in order. */
export interface Recording<C extends Recordable> {
  readonly entries: readonly RecordedEntry<C>[]
  /** The values of one kind. */
  values<Kind extends keyof RecordedValues<C>>(kind: Kind): readonly RecordedValues<C>[Kind][]
  /** Deletes what was recorded so far. */
  clear(): void
  /** Ends the recording. The entries stay. */
  stop(): void
}

/** Records what clients do. */
export interface Recorder {
  /** Give this to the client as its `onError`. */
  readonly onError: ReportError
  /**
   * Records a client from now on. The first entries are its current status and state. Errors that
   * came to `onError` before this call are recorded too.
   */
  record<C extends Recordable>(client: C): Recording<C>
}

/**
 * Makes a recorder that stamps its entries with the clock's time.
 *
 * @example
 * const recorder = createRecorder({ clock })
 * const sync = createSyncClient(chat, { url, clock, transport: network, onError: recorder.onError })
 * const recording = recorder.record(sync)
 * sync.start()
 * clock.advance(0)
 * recording.values('status').map(({ state }) => state) // ['disconnected', 'connecting', 'connected']
 */
export function createRecorder({ clock }: { readonly clock: Clock }): Recorder {
  const before: { at: number; error: SyncError }[] = []
  const listeners = new Set<(at: number, error: SyncError) => void>()

  return {
    onError(error) {
      const at = clock.now()
      if (listeners.size === 0) before.push({ at, error })
      for (const listener of listeners) listener(at, error)
    },

    record<C extends Recordable>(client: C): Recording<C> {
      const entries: RecordedEntry<C>[] = []
      const add = (at: number, kind: keyof RecordedValues<C>, value: unknown): void => {
        // The kind names the stream that the value came from.
        entries.push({ at, kind, value } as RecordedEntry<C>)
      }
      const addError = (at: number, error: SyncError): void => add(at, 'error', error)
      for (const { at, error } of before.splice(0)) addError(at, error)
      listeners.add(addError)
      const subscriptions = Object.entries(streams).flatMap(([kind, name]) => {
        const stream: Watchable<unknown> | undefined = client[name]
        return stream?.subscribe((value) => add(clock.now(), kind as keyof Streams, value)) ?? []
      })

      return {
        entries,
        values<Kind extends keyof RecordedValues<C>>(kind: Kind) {
          const ofKind = entries.filter((entry) => entry.kind === kind)
          return ofKind.map(({ value }) => value as RecordedValues<C>[Kind])
        },
        clear() {
          entries.length = 0
        },
        stop() {
          listeners.delete(addError)
          for (const subscription of subscriptions) subscription.unsubscribe()
        },
      }
    },
  }
}
