import type { ReportError } from '../base/errors.js'
import { isShallowEqual } from '../base/shallow-equal.js'
import { createValueStream, type Stream } from './streams.js'

/** Everything that can be seen of a client at one moment. Immutable. */
export interface PublishedSnapshot<State, Status, Outbox> {
  readonly status: Status
  readonly state: State
  /** When the last message came, in ms since the epoch. */
  readonly lastSyncTime: number | undefined
  readonly outbox: Outbox
}

/**
 * The current snapshot, with one stream of whole snapshots and one for each part that can change.
 *
 * Reading the outbox costs more than a message: while nobody observes it, a change only marks it as
 * stale, and it is read when somebody asks.
 */
export class SnapshotStreams<State, Status, Outbox extends object> {
  readonly status: Stream<Status>
  readonly state: Stream<State>
  readonly outbox: Stream<Outbox>
  readonly snapshots: Stream<PublishedSnapshot<State, Status, Outbox>>
  readonly #readOutbox: () => Outbox
  #latest: PublishedSnapshot<State, Status, Outbox>
  #isOutboxStale = false

  constructor(
    first: PublishedSnapshot<State, Status, Outbox>,
    readOutbox: () => Outbox,
    report: ReportError,
  ) {
    const refresh = (): void => this.#refreshOutbox()
    this.#latest = first
    this.#readOutbox = readOutbox
    this.status = createValueStream(first.status, report)
    this.state = createValueStream(first.state, report)
    this.outbox = createValueStream(first.outbox, report, refresh)
    this.snapshots = createValueStream(first, report, refresh)
  }

  /** The current snapshot; the same object until a part changes. */
  get latest(): PublishedSnapshot<State, Status, Outbox> {
    this.#refreshOutbox()
    return this.#latest
  }

  /** Whether a change of the outbox has to be published without being asked for. */
  get isOutboxObserved(): boolean {
    return this.outbox.isObserved || this.snapshots.isObserved
  }

  /** Marks the outbox as changed. */
  markOutboxStale(): void {
    this.#isOutboxStale = true
  }

  /** Publishes the parts that changed, the outbox among them, then the snapshot. */
  publish(change: Partial<PublishedSnapshot<State, Status, Outbox>>): void {
    const before = this.#latest
    const after = { ...before, ...change, outbox: this.#currentOutbox() }
    const hasState = after.state !== before.state
    const hasStatus = after.status !== before.status
    const hasOutbox = after.outbox !== before.outbox
    const hasTime = after.lastSyncTime !== before.lastSyncTime
    if (!hasState && !hasStatus && !hasOutbox && !hasTime) return
    this.#latest = after
    if (hasState) this.state.next(after.state)
    if (hasStatus) this.status.next(after.status)
    if (hasOutbox) this.outbox.next(after.outbox)
    this.snapshots.next(after)
  }

  complete(): void {
    for (const stream of [this.status, this.state, this.outbox, this.snapshots]) stream.complete()
  }

  // An observer is told by a batch, in order with the messages; others get the present value.
  #refreshOutbox(): void {
    if (this.#isOutboxStale && !this.isOutboxObserved) this.publish({})
  }

  #currentOutbox(): Outbox {
    const before = this.#latest.outbox
    if (!this.#isOutboxStale) return before
    this.#isOutboxStale = false
    const now = this.#readOutbox()
    return isShallowEqual(now, before) ? before : now
  }
}
