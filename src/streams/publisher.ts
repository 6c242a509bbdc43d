import type { Observable } from 'rxjs'
import type { Clock } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import type { ConnectionStatus } from '../machines/connection/status.js'
import type { Folding } from '../state/folding.js'
import type { InvalidFrame, UnknownMessage } from '../schemas/message.js'
import type { ReaderSink, ReadMessage } from '../schemas/reader.js'
import { type BatchScheduler, microtaskBatches } from './batching.js'
import { createEmissionQueue } from './emission-queue.js'
import { createSelection, createStream, createValueStream, type Stream } from './streams.js'
import type { OutboxState } from '../delivery/port.js'
import type { WriteLog } from '../base/log.js'
import { isShallowEqual } from '../base/shallow-equal.js'

/** Everything that can be seen of a client, at one moment. Immutable. */
export interface SyncSnapshot<State> {
  readonly status: ConnectionStatus
  readonly state: State
  /** When the last message came, in ms since the epoch. */
  readonly lastSyncTime: number | undefined
  /** What waits to be sent, or acknowledged. */
  readonly outbox: OutboxState
}

/** Counts since the client was made. */
export interface MessageCounts {
  /** Valid messages of known types. */
  readonly received: number
  readonly unknown: number
  readonly invalid: number
}

/** What {@link createPublisher} needs. */
export interface PublisherOptions<State extends object> {
  readonly folding: Folding<State>
  readonly batches: BatchScheduler
  readonly clock: Clock
  readonly report: ReportError
  readonly log: WriteLog
  /** What the outbox holds at first, and what it holds now. */
  readonly firstOutbox: OutboxState
  readonly outbox: () => OutboxState
}

// Streams of several kinds of value side by side; each is only given its own.
type Put = Pick<Stream<unknown>, 'isObserved' | 'next'>

const notYetScheduled = (): void => undefined

// Values with the stream of each. `series` tells batches of before a stop from those after.
interface PublishedBatch {
  readonly values: readonly unknown[]
  readonly streams: readonly Put[]
  readonly series: number
}

// A flood is published in parts, so that a batch stays small in memory.
const LARGEST_BATCH = 1_000

/**
 * Folds what comes in and publishes it in the one order that everybody sees: the state first,
 * then the messages that led to it, then whatever a handler caused.
 */
export function createPublisher<State extends object>(options: PublisherOptions<State>) {
  const { folding, batches, clock, report, log } = options
  const queue = createEmissionQueue()
  const typed = new Map<string, Stream<ReadMessage>>()
  const messages = createStream<ReadMessage>(report)
  const unknown = createStream<UnknownMessage>(report)
  const invalid = createStream<InvalidFrame>(report)

  let latestStatus: ConnectionStatus = { state: 'disconnected' }
  let lastSyncTime: number | undefined
  let snapshot: SyncSnapshot<State> = {
    status: latestStatus,
    state: folding.state,
    lastSyncTime,
    outbox: options.firstOutbox,
  }
  const snapshots = createValueStream(snapshot, report, refreshOutbox)
  const status = createValueStream<ConnectionStatus>(snapshot.status, report)
  const state = createValueStream(snapshot.state, report)
  const outbox = createValueStream(snapshot.outbox, report, refreshOutbox)
  let isOutboxStale = false

  // The open batch.
  let values: unknown[] = []
  let streams: Put[] = []
  let cancelFlush: (() => void) | undefined
  let series = 0
  const counts = { received: 0, unknown: 0, invalid: 0 }
  const seenUnknown = new Set<string>()

  // Reading the time costs as much as emitting a message. A batch of one microtask came at the
  // time at which it opened; any other scheduler may keep it open for long.
  function noteSync(): void {
    if (cancelFlush === undefined || batches !== microtaskBatches) lastSyncTime = clock.epoch()
  }

  function streamOf(type: string): Stream<ReadMessage> {
    const known = typed.get(type)
    if (known !== undefined) return known
    const stream = createStream<ReadMessage>(report)
    typed.set(type, stream)
    return stream
  }

  function add<T>(stream: Stream<T>, value: T): void {
    values.push(value)
    streams.push(stream)
    if (values.length >= LARGEST_BATCH) flush()
    else if (cancelFlush === undefined) schedule()
  }

  function schedule(): void {
    cancelFlush = notYetScheduled
    const cancel = batches(flush)
    // Not where the scheduler flushed at once.
    if (cancelFlush === notYetScheduled) cancelFlush = cancel
  }

  function flush(): void {
    cancelFlush?.()
    cancelFlush = undefined
    const batch = { values, streams, series }
    const time = lastSyncTime
    values = []
    streams = []
    folding.commit()
    const { state } = folding
    queue.emit(() => {
      publish({ state, lastSyncTime: time })
      publishBatch(batch)
    })
  }

  // By index, and past streams that nobody hears: this loop runs once per message.
  function publishBatch(batch: PublishedBatch): void {
    for (let at = 0; at < batch.values.length && batch.series === series; at += 1) {
      const stream = batch.streams[at]
      if (stream?.isObserved === true) stream.next(batch.values[at])
      if (messages.isObserved && stream !== unknown && stream !== invalid) {
        messages.next(batch.values[at] as ReadMessage)
      }
    }
  }

  function publish(change: Partial<SyncSnapshot<State>>): void {
    const before = snapshot
    const after = { ...before, ...change, outbox: currentOutbox() }
    const hasChanged = {
      status: after.status !== before.status,
      state: after.state !== before.state,
      time: after.lastSyncTime !== before.lastSyncTime,
      outbox: after.outbox !== before.outbox,
    }
    if (!Object.values(hasChanged).includes(true)) return
    snapshot = after
    if (hasChanged.state) state.next(after.state)
    if (hasChanged.status) status.next(after.status)
    if (hasChanged.outbox) outbox.next(after.outbox)
    snapshots.next(after)
  }

  function isOutboxObserved(): boolean {
    return outbox.isObserved || snapshots.isObserved
  }

  function refreshOutbox(): void {
    if (isOutboxStale && !isOutboxObserved()) publish({})
  }

  function currentOutbox(): OutboxState {
    if (!isOutboxStale) return snapshot.outbox
    isOutboxStale = false
    const next = options.outbox()
    return isShallowEqual(next, snapshot.outbox) ? snapshot.outbox : next
  }

  const sink = {
    message(message) {
      counts.received += 1
      noteSync()
      folding.fold(message)
      add(streamOf(message.type), message)
    },
    unknown(message) {
      counts.unknown += 1
      noteSync()
      if (!seenUnknown.has(message.type) && seenUnknown.size < 100) {
        seenUnknown.add(message.type)
        log('info', 'messages', 'type.unknown', { type: message.type })
      }
      add(unknown, message)
    },
    invalid(frame) {
      counts.invalid += 1
      log('warn', 'messages', 'frame.invalid', { reason: frame.reason, type: frame.type })
      add(invalid, frame)
    },
  } satisfies Partial<ReaderSink>

  return {
    sink,
    /** Publishes the open batch now. */
    flush,
    /** Throws the open batch away, even while it is being published. */
    dropBatch(): void {
      cancelFlush?.()
      cancelFlush = undefined
      values = []
      streams = []
      series += 1
      folding.discard()
    },
    /** A message came that nobody is told of. */
    noteSync(): void {
      noteSync()
      if (cancelFlush === undefined) schedule()
    },
    /** The outbox holds something else: to be published with the next batch. */
    noteOutbox(): void {
      isOutboxStale = true
      // Where nobody hears of it, it is looked at when somebody asks.
      if (isOutboxObserved() && cancelFlush === undefined) schedule()
    },
    latestStatus: (): ConnectionStatus => latestStatus,
    publishStatus(next: ConnectionStatus): void {
      latestStatus = next
      queue.emit(() => {
        publish({ status: next })
      })
    },
    complete(): void {
      queue.emit(() => {
        const all = [
          ...typed.values(),
          messages,
          unknown,
          invalid,
          status,
          state,
          outbox,
          snapshots,
        ]
        for (const stream of all) stream.complete()
      })
    },
    counts: (): MessageCounts => ({ ...counts }),
    snapshot(): SyncSnapshot<State> {
      refreshOutbox()
      return snapshot
    },
    streamOf,
    messages$: messages.observable,
    unknown$: unknown.observable,
    invalid$: invalid.observable,
    status$: status.observable,
    state$: state.observable,
    outbox$: outbox.observable,
    snapshots$: snapshots.observable,
    select: <T>(selector: (state: State) => T): Observable<T> =>
      createSelection(state.observable, selector, report),
  }
}
