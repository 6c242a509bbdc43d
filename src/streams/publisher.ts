import type { Observable } from 'rxjs'
import type { Clock } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import type { WriteLog } from '../base/log.js'
import type { InvalidFrame, UnknownMessage } from '../schemas/message.js'
import type { ReaderSink, ReadMessage } from '../schemas/reader.js'
import type { Folding } from '../state/folding.js'
import { type BatchScheduler, microtaskBatches } from './batching.js'
import { type PublishedSnapshot, SnapshotStreams } from './snapshot-streams.js'
import { createSelection, createStream, type Stream } from './streams.js'

/** What a {@link Publisher} needs. */
export interface PublisherOptions<State extends object, Status, Outbox> {
  readonly folding: Folding<State>
  readonly batches: BatchScheduler
  readonly clock: Clock
  readonly report: ReportError
  readonly log: WriteLog
  readonly firstStatus: Status
  readonly firstOutbox: Outbox
  /** Reads what the outbox holds now. */
  readonly outbox: () => Outbox
}

// Streams of several kinds of value in one list; each gets only values of its own kind.
type AnyStream = Pick<Stream<unknown>, 'isObserved' | 'next'>

const notYetScheduled = (): void => undefined

// A flood is published in parts, so that a batch stays small in memory.
const LARGEST_BATCH = 1_000

// How many unknown types are logged, each once: their names come from the server.
const MOST_LOGGED_TYPES = 100

/**
 * Runs emissions one after the other, in the order in which they were asked for, however deeply the
 * requests are nested: what a handler causes is emitted after what it is handling, so that all
 * subscribers see one order.
 */
export class EmissionQueue {
  readonly #waiting: (() => void)[] = []
  #isDraining = false

  /** Runs an emission now, or after those that are under way. The emission must not throw. */
  emit(emission: () => void): void {
    this.#waiting.push(emission)
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
        next()
    } finally {
      this.#isDraining = false
    }
  }
}

/**
 * Folds incoming messages and publishes them in the one order that everybody sees: the state first,
 * then the messages that led to it, then whatever a handler caused.
 */
export class Publisher<State extends object, Status, Outbox extends object> {
  readonly messages$: Observable<ReadMessage>
  readonly unknown$: Observable<UnknownMessage>
  readonly invalid$: Observable<InvalidFrame>
  readonly resync$: Observable<unknown>
  readonly status$: Observable<Status>
  readonly state$: Observable<State>
  readonly outbox$: Observable<Outbox>
  readonly snapshots$: Observable<PublishedSnapshot<State, Status, Outbox>>
  /** Takes what the reader found, in the order of the wire. */
  readonly sink: Pick<ReaderSink, 'message' | 'unknown' | 'invalid'>

  readonly #options: PublisherOptions<State, Status, Outbox>
  readonly #queue = new EmissionQueue()
  readonly #typed = new Map<string, Stream<ReadMessage>>()
  readonly #messages: Stream<ReadMessage>
  readonly #unknown: Stream<UnknownMessage>
  readonly #invalid: Stream<InvalidFrame>
  readonly #resync: Stream<unknown>
  readonly #snapshots: SnapshotStreams<State, Status, Outbox>

  // The open batch: values, and at the same index the stream of each.
  #values: unknown[] = []
  #streams: AnyStream[] = []
  #cancelFlush: (() => void) | undefined
  // Grows with each `dropBatch`; a batch made under a smaller value stops emitting.
  #series = 0

  #latestStatus: Status
  #lastSyncTime: number | undefined
  readonly #loggedTypes = new Set<string>()

  constructor(options: PublisherOptions<State, Status, Outbox>) {
    const { folding, report, firstStatus, firstOutbox } = options
    this.#options = options
    this.#latestStatus = firstStatus
    this.#messages = createStream(report)
    this.#unknown = createStream(report)
    this.#invalid = createStream(report)
    this.#resync = createStream(report)
    this.#snapshots = new SnapshotStreams(
      { status: firstStatus, state: folding.state, lastSyncTime: undefined, outbox: firstOutbox },
      options.outbox,
      report,
    )
    this.messages$ = this.#messages.observable
    this.unknown$ = this.#unknown.observable
    this.invalid$ = this.#invalid.observable
    this.resync$ = this.#resync.observable
    this.status$ = this.#snapshots.status.observable
    this.state$ = this.#snapshots.state.observable
    this.outbox$ = this.#snapshots.outbox.observable
    this.snapshots$ = this.#snapshots.snapshots.observable
    this.sink = {
      message: (message) => this.#receive(message),
      unknown: (message) => this.#receiveUnknown(message),
      invalid: (frame) => this.#receiveInvalid(frame),
    }
  }

  /** The stream of a message type. */
  streamOf(type: string): Stream<ReadMessage> {
    const known = this.#typed.get(type)
    if (known !== undefined) return known
    const stream = createStream<ReadMessage>(this.#options.report)
    this.#typed.set(type, stream)
    return stream
  }

  /** What a function makes of the state, whenever that changes. */
  select<T>(selector: (state: State) => T): Observable<T> {
    return createSelection(this.state$, selector, this.#options.report)
  }

  /** The current snapshot; the same object until something changes. */
  snapshot(): PublishedSnapshot<State, Status, Outbox> {
    return this.#snapshots.latest
  }

  /** The status that was published last, or will be once the emissions under way are done. */
  latestStatus(): Status {
    return this.#latestStatus
  }

  publishStatus(status: Status): void {
    this.#latestStatus = status
    this.#queue.emit(() => {
      this.#snapshots.publish({ status })
    })
  }

  /** Publishes the open batch now. */
  flush(): void {
    const values = this.#values
    const streams = this.#streams
    const series = this.#series
    const lastSyncTime = this.#lastSyncTime
    this.#beginBatch()
    this.#options.folding.commit()
    const { state } = this.#options.folding
    this.#queue.emit(() => {
      this.#snapshots.publish({ state, lastSyncTime })
      this.#emitBatch(values, streams, series)
    })
  }

  /** Drops the open batch, even while it is being published. */
  dropBatch(): void {
    this.#beginBatch()
    this.#series += 1
    this.#options.folding.discard()
  }

  /** Notes the time of a message that no stream is given. */
  noteSync(): void {
    this.#noteTime()
    if (this.#cancelFlush === undefined) this.#schedule()
  }

  /** Tells, after what came before, that messages may be missing. */
  resync(event: unknown): void {
    this.#add(this.#resync, event)
  }

  /** Notes that the outbox changed: it is published with the next batch, if anybody observes it. */
  noteOutbox(): void {
    this.#snapshots.markOutboxStale()
    if (this.#snapshots.isOutboxObserved && this.#cancelFlush === undefined) this.#schedule()
  }

  /** Completes all streams, after the emissions under way. */
  complete(): void {
    this.#queue.emit(() => {
      for (const stream of this.#typed.values()) stream.complete()
      const others = [this.#messages, this.#unknown, this.#invalid, this.#resync]
      for (const stream of others) stream.complete()
      this.#snapshots.complete()
    })
  }

  #receive(message: ReadMessage): void {
    this.#noteTime()
    this.#options.folding.fold(message)
    this.#add(this.streamOf(message.type), message)
  }

  #receiveUnknown(message: UnknownMessage): void {
    const { type } = message
    this.#noteTime()
    if (!this.#loggedTypes.has(type) && this.#loggedTypes.size < MOST_LOGGED_TYPES) {
      this.#loggedTypes.add(type)
      this.#options.log('info', 'messages', 'type.unknown', { type })
    }
    this.#add(this.#unknown, message)
  }

  #receiveInvalid(frame: InvalidFrame): void {
    this.#options.log('warn', 'messages', 'frame.invalid', {
      reason: frame.reason,
      type: frame.type,
    })
    this.#add(this.#invalid, frame)
  }

  // Reading the clock costs as much as emitting a message. A microtask batch is short: the clock is
  // read once, when it opens. Other schedulers keep batches open: it is read for each message.
  #noteTime(): void {
    if (this.#cancelFlush === undefined || this.#options.batches !== microtaskBatches) {
      this.#lastSyncTime = this.#options.clock.epoch()
    }
  }

  #beginBatch(): void {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.#values = []
    this.#streams = []
  }

  #add<T>(stream: Stream<T>, value: T): void {
    this.#values.push(value)
    this.#streams.push(stream)
    if (this.#values.length >= LARGEST_BATCH) this.flush()
    else if (this.#cancelFlush === undefined) this.#schedule()
  }

  #schedule(): void {
    this.#cancelFlush = notYetScheduled
    const cancel = this.#options.batches(() => this.flush())
    // A scheduler that flushed at once has cleared it by now.
    if (this.#cancelFlush === notYetScheduled) this.#cancelFlush = cancel
  }

  // By index, and past streams that nobody observes: this loop runs once per message.
  #emitBatch(values: readonly unknown[], streams: readonly AnyStream[], series: number): void {
    for (let at = 0; at < values.length && series === this.#series; at += 1) {
      const stream = streams[at]
      if (stream?.isObserved === true) stream.next(values[at])
      if (this.#messages.isObserved && this.#isOfMessages(stream)) {
        this.#messages.next(values[at] as ReadMessage)
      }
    }
  }

  #isOfMessages(stream: AnyStream | undefined): boolean {
    return stream !== this.#unknown && stream !== this.#invalid && stream !== this.#resync
  }
}
