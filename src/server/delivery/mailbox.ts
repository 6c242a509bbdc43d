import { SyncError } from '../../base/errors.js'
import type { ResetReason } from '../../schemas/control.js'
import { isThenable } from '../../base/values.js'
import type { ClientMark, LogChange, LoggedMessage, UserLog } from '../log/delivery-log.js'
import {
  applyChange,
  createUserLog,
  headOf,
  readUserLog,
  type UserLogState,
} from '../log/user-log.js'
import { encodeNumbered, loggedSizeOf } from './logged-message.js'
import type { ServerDeliveryContext } from './context.js'
import type { ResolvedDeliveryOptions } from './options.js'
import type { CreateSharedState, SharedState } from './shared-state.js'
import { LogDraft, WriteQueue } from './write-queue.js'

/** A connection that is sent numbered messages as fast as it takes them. */
export interface LogReader {
  readonly isOpen: boolean
  /** Sends what the log has and the reader was not sent yet. Does not throw. */
  pump(): void
}

// How many frames of the newest messages are cached: several connections are sent the same one at
// about the same time.
const MOST_FRAMES = 256
// A trim writes the whole state down, so it removes a tenth of the messages at once.
const KEPT_BY_TRIM = 0.9

/**
 * One user's log in memory: what is written, and the queue of what is about to be. It is read from
 * the log when it is first needed. It describes the new state of the log from the moment that the
 * first write of a draft settles.
 */
export class Mailbox extends WriteQueue {
  readonly userId: string
  readonly readers = new Set<LogReader>()
  /** The keys of the outboxes that a connection sends from: their marks are not forgotten. */
  readonly activeOutboxes = new Set<string>()
  readonly #context: ServerDeliveryContext
  readonly #createState: CreateSharedState | undefined
  readonly #becameIdle: (mailbox: Mailbox) => void
  readonly #frames = new Map<number, Uint8Array>()
  #log: UserLogState = createUserLog('')
  #state: SharedState | undefined
  /** What is being committed: one draft at a time. */
  #change: LogChange | undefined
  #isLoaded = false
  #isTrimming = false
  /** The size of all messages, see {@link loggedSizeOf}. */
  #bytes = 0

  constructor(
    userId: string,
    context: ServerDeliveryContext,
    createState: CreateSharedState | undefined,
    becameIdle: (mailbox: Mailbox) => void,
  ) {
    super(context.options.maxEntries)
    this.userId = userId
    this.#context = context
    this.#createState = createState
    this.#becameIdle = becameIdle
  }

  get epoch(): string {
    return this.#log.epoch
  }

  /** The number of the oldest stored message; the number of the next one where none is stored. */
  get first(): number {
    return this.#log.first
  }

  /** The number of the newest message; 0: none yet. */
  get head(): number {
    return headOf(this.#log)
  }

  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** How far an outbox has come, as far as that is written. */
  mark(key: string): ClientMark | undefined {
    return this.#log.marks.get(key)
  }

  /** The frame of a stored message. */
  frame(seq: number): Uint8Array {
    const frames = this.#frames
    const known = frames.get(seq)
    if (known !== undefined) return known
    const { epoch, first, messages } = this.#log
    const message = messages[seq - first]
    if (message === undefined) throw new RangeError(`message ${seq} is not stored`)
    const frame = encodeNumbered(this.#context.envelope, message, this.userId, epoch)
    frames.set(seq, frame)
    for (const oldest of frames.keys()) {
      if (frames.size <= MOST_FRAMES) break
      frames.delete(oldest)
    }
    return frame
  }

  /** What a client that must be reset continues from: its new cursor and, if there is one, the state. */
  snapshot(why: ResetReason): { readonly seq: number; readonly state?: unknown } {
    const state = this.#state?.take()
    if (state !== undefined) return { seq: this.head, state: JSON.parse(state) }
    // Without a state, a client that was here before gets what is left of the log. A new client
    // starts at the head, and so does one that is ahead: it has received everything.
    const wasHere = why === 'epoch' || why === 'trimmed'
    return { seq: wasHere ? this.first - 1 : this.head }
  }

  protected open(): unknown {
    const opened = this.#context.options.log.open(this.userId)
    if (isThenable(opened)) return opened.then((log) => this.#load(log))
    this.#load(opened)
    return undefined
  }

  #load(opened: UserLog): void {
    this.#log = readUserLog(opened)
    this.#bytes = totalSizeOf(this.#log.messages)
    this.#state = this.#createState?.(this.userId, this.#log)
    this.#isLoaded = true
  }

  protected begin(): LogDraft {
    return new LogDraft(this.#log)
  }

  protected commit(draft: LogDraft): unknown {
    this.#change = undefined
    if (draft.isEmpty) return undefined
    this.#change = draft.toChange(this.#marksToForget(draft.marks))
    return this.#context.options.log.commit(this.userId, this.#change)
  }

  protected committed({ appended }: LogDraft): void {
    const change = this.#change
    if (change === undefined) return
    applyChange(this.#log, change)
    for (const message of appended) this.#bytes += loggedSizeOf(message)
    this.#state?.fold(appended)
    if (change.trim !== undefined) this.#bytes = totalSizeOf(this.#log.messages)
    this.#trimIfNeeded()
    for (const reader of this.readers) reader.pump()
  }

  protected failed(cause: unknown): void {
    const { counters, reporting } = this.#context
    counters.logFailures += 1
    reporting.report(new SyncError('log-failed', 'The delivery log failed.', { cause }))
  }

  protected becameIdle(): void {
    this.#becameIdle(this)
  }

  /** The least recently used marks, as many as are too many once `added` are added. */
  #marksToForget(added: ReadonlyMap<string, ClientMark>): readonly ClientMark[] {
    const { marks } = this.#log
    if (added.size === 0) return []
    const unknown = [...added.keys()].filter((key) => !marks.has(key)).length
    let excess = marks.size + unknown - this.#context.options.maxClients
    const forgotten: ClientMark[] = []
    for (const [key, mark] of marks) {
      if (excess <= 0) break
      if (added.has(key) || this.activeOutboxes.has(key)) continue
      forgotten.push(mark)
      excess -= 1
    }
    return forgotten
  }

  #trimIfNeeded(): void {
    const { messages } = this.#log
    const { maxEntries, maxLogBytes } = this.#context.options
    if (this.#isTrimming || (messages.length <= maxEntries && this.#bytes <= maxLogBytes)) return
    const first = this.#log.first + countToTrim(messages, this.#bytes, this.#context.options)
    const done = () => {
      this.#isTrimming = false
    }
    this.#isTrimming = true
    this.push({
      stage: (draft) => {
        const state = this.#state?.take()
        const seq = this.head
        draft.trim = { first, ...(state !== undefined && { checkpoint: { seq, state } }) }
      },
      settle: done,
      fail: done,
    })
  }
}

/** How many of the oldest messages a trim removes, so that the rest is well within the bounds. */
function countToTrim(
  messages: readonly LoggedMessage[],
  bytes: number,
  { maxEntries, maxLogBytes }: ResolvedDeliveryOptions,
): number {
  const mostKept = Math.max(1, Math.floor(maxEntries * KEPT_BY_TRIM))
  let excessBytes = bytes - maxLogBytes * KEPT_BY_TRIM
  const firstKept = messages.findIndex((message, index) => {
    if (messages.length - index <= mostKept && excessBytes <= 0) return true
    excessBytes -= loggedSizeOf(message)
    return false
  })
  return firstKept < 0 ? messages.length : firstKept
}

function totalSizeOf(messages: readonly LoggedMessage[]): number {
  return messages.reduce((sum, message) => sum + loggedSizeOf(message), 0)
}
