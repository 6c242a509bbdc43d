import { SyncError } from '../../base/errors.js'
import type { ResetReason } from '../../schemas/control.js'
import type { ClientMark, LogChange, UserLog } from '../log/delivery-log.js'
import {
  applyChange,
  createUserLog,
  headOf,
  markKey,
  readUserLog,
  type UserLogState,
} from '../log/user-log.js'
import { nextTurn } from '../turn.js'
import { ClientOutbox } from './client-outbox.js'
import type { ServerDeliveryContext } from './context.js'
import { LogDraft, type LogWriter } from './log-draft.js'
import { encodeNumbered, sendToPlain } from './logged-message.js'
import type { CreateSharedState, SharedState } from './shared-state.js'
import { countToTrim, totalSizeOf } from './trim.js'

/** A connection that is sent numbered messages as fast as it takes them. No method throws. */
export interface LogReader {
  /** Sends what the log has and the reader was not sent yet. */
  pump(): void
  /** Closes the connection: the client comes back and begins anew. */
  giveUp(): void
}

/** A write that waits for the next draft. */
interface QueuedWrite {
  readonly stage: (draft: LogDraft) => void
  readonly resolve: (isWritten: boolean) => void
}

// How many frames are cached: several connections are sent the same one at about the same time.
const MOST_FRAMES = 256

/**
 * A copy in memory of one user's log, and the writes that wait. What comes in one turn of the event
 * loop, or while a change is being written, goes into one change.
 */
export class Mailbox implements LogWriter {
  readonly userId: string
  readonly readers = new Set<LogReader>()
  readonly #context: ServerDeliveryContext
  readonly #createState: CreateSharedState | undefined
  readonly #release: (mailbox: Mailbox) => void
  /** The outboxes that connections send from, by the keys of their marks. */
  readonly #outboxes = new Map<string, ClientOutbox>()
  readonly #frames = new Map<number, Uint8Array>()
  #log: UserLogState = createUserLog('')
  #state: SharedState | undefined
  /** The size of all messages, see {@link totalSizeOf}. */
  #bytes = 0
  /** Whether the log could be read; `undefined`: it is to be read. */
  #loading: Promise<boolean> | undefined
  #isLoaded = false
  #waiting: QueuedWrite[] = []
  /** Resolves once no write waits any more; `undefined` if none does. */
  #working: Promise<void> | undefined
  /** Whether the log is being read or written. */
  #isLogBusy = false
  #hasReportedFull = false
  #mustTrim = false

  /** `release` is called each time that the mailbox may have become unused. */
  constructor(
    userId: string,
    context: ServerDeliveryContext,
    createState: CreateSharedState | undefined,
    release: (mailbox: Mailbox) => void,
  ) {
    this.userId = userId
    this.#context = context
    this.#createState = createState
    this.#release = release
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

  get working(): Promise<void> | undefined {
    return this.#working
  }

  get isUsed(): boolean {
    return this.#working !== undefined || this.readers.size > 0 || this.#outboxes.size > 0
  }

  mark(key: string): ClientMark | undefined {
    return this.#log.marks.get(key)
  }

  /** The outbox of a client, made if no connection sends from it. The log is loaded. */
  outbox(deviceId: string, cid: string): ClientOutbox {
    const key = markKey({ deviceId, cid })
    const known = this.#outboxes.get(key)
    if (known !== undefined) return known
    const outbox = new ClientOutbox({ deviceId, cid }, this, this.#context, () => {
      this.#outboxes.delete(key)
      this.#release(this)
    })
    this.#outboxes.set(key, outbox)
    return outbox
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
    const [oldest] = frames.keys()
    if (oldest !== undefined && frames.size > MOST_FRAMES) frames.delete(oldest)
    return frame
  }

  /**
   * What a client that must be reset continues from: its new cursor and, if there is one, the state.
   * A new client knows nothing before the message `newSince`.
   */
  snapshot(why: ResetReason, newSince: number): { readonly seq: number; readonly state?: unknown } {
    const state = this.#state?.take()
    if (state !== undefined) return { seq: this.head, state: JSON.parse(state) }
    // A client that is ahead has received everything.
    if (why === 'ahead') return { seq: this.head }
    // A client that was here before gets what is left of the log.
    const known = why === 'new' ? newSince : 0
    return { seq: Math.max(known, this.first - 1) }
  }

  /** Reads the log, unless that was done. Resolves with whether it could be read. */
  async load(): Promise<boolean> {
    this.#loading ??= this.#read()
    const loading = this.#loading
    const isLoaded = await loading
    if (!isLoaded && this.#loading === loading) this.#loading = undefined
    return isLoaded
  }

  write(stage: (draft: LogDraft) => void): Promise<boolean> {
    if (this.#isLogBusy && this.#waiting.length >= this.#context.options.maxEntries) {
      this.#reportFull()
      return Promise.resolve(false)
    }
    return new Promise((resolve) => {
      this.#waiting.push({ stage, resolve })
      this.#working ??= this.#work()
    })
  }

  async #work(): Promise<void> {
    await nextTurn()
    while (this.#waiting.length > 0 || this.#mustTrim) {
      const writes = this.#waiting
      this.#waiting = []
      const isWritten = await this.#writeTogether(writes)
      for (const { resolve } of writes) resolve(isWritten)
    }
    this.#hasReportedFull = false
    this.#working = undefined
    this.#release(this)
  }

  async #writeTogether(writes: readonly QueuedWrite[]): Promise<boolean> {
    const mustTrim = this.#mustTrim
    this.#mustTrim = false
    this.#isLogBusy = true
    const draft = await this.#writeDraft(writes, mustTrim)
    // What the handlers publish waits for no answer of the log.
    this.#isLogBusy = false
    if (draft === undefined) return false
    for (const reader of this.readers) reader.pump()
    for (const answer of draft.answers) answer()
    for (const messages of draft.published) sendToPlain(this.#context, this.userId, messages)
    for (const handle of draft.handlers) handle()
    return true
  }

  /** Resolves with the draft once it is written; with `undefined` where the log failed. */
  async #writeDraft(
    writes: readonly QueuedWrite[],
    mustTrim: boolean,
  ): Promise<LogDraft | undefined> {
    if (!(await this.load())) return undefined
    const draft = new LogDraft(this.#log)
    for (const { stage } of writes) stage(draft)
    if (mustTrim) draft.trim = this.#trim()
    return (await this.#commit(draft)) ? draft : undefined
  }

  async #commit({ appended, marks, trim }: LogDraft): Promise<boolean> {
    const { log, maxEntries, maxLogBytes } = this.#context.options
    if (appended.length === 0 && marks.size === 0 && trim === undefined) return true
    const change: LogChange = {
      ...(appended.length > 0 && { append: appended }),
      ...(marks.size > 0 && { marks: [...marks.values()], forget: this.#marksToForget(marks) }),
      ...(trim !== undefined && { trim }),
    }
    try {
      await log.commit(this.userId, change)
    } catch (cause) {
      // Nobody knows whether it was written.
      this.#loading = undefined
      this.#reportFailure(cause)
      return false
    }
    applyChange(this.#log, change)
    this.#state?.fold(appended)
    this.#bytes = trim ? totalSizeOf(this.#log.messages) : this.#bytes + totalSizeOf(appended)
    this.#mustTrim = this.#log.messages.length > maxEntries || this.#bytes > maxLogBytes
    return true
  }

  async #read(): Promise<boolean> {
    try {
      this.#use(await this.#context.options.log.open(this.userId))
      return true
    } catch (cause) {
      this.#reportFailure(cause)
      return false
    }
  }

  #use(opened: UserLog): void {
    const isOtherEpoch = this.#isLoaded && opened.epoch !== this.epoch
    this.#log = readUserLog(opened)
    this.#bytes = totalSizeOf(this.#log.messages)
    this.#state = this.#createState?.(this.userId, this.#log)
    this.#frames.clear()
    this.#isLoaded = true
    // The log has lost something.
    if (isOtherEpoch) for (const reader of this.readers) reader.giveUp()
  }

  #reportFailure(cause: unknown): void {
    const { counters, options, reporting } = this.#context
    counters.logFailures += 1
    // The loss of the log is reported once.
    if (options.log.lost?.aborted === true) return
    reporting.report(new SyncError('log-failed', 'The delivery log failed.', { cause }))
  }

  #reportFull(): void {
    if (this.#hasReportedFull) return
    this.#hasReportedFull = true
    const message = 'The delivery log is too slow: what exceeds its queue is refused.'
    this.#context.reporting.report(new SyncError('log-failed', message))
  }

  /** The least recently used marks, as many as are too many once `added` are added. */
  #marksToForget(added: ReadonlyMap<string, ClientMark>): readonly ClientMark[] {
    const { marks } = this.#log
    const unknown = [...added.keys()].filter((key) => !marks.has(key)).length
    const excess = marks.size + unknown - this.#context.options.maxClients
    if (excess <= 0) return []
    const unused = [...marks].filter(([key]) => !added.has(key) && !this.#outboxes.has(key))
    return unused.slice(0, excess).map(([, mark]) => mark)
  }

  #trim(): LogChange['trim'] {
    const count = countToTrim(this.#log.messages, this.#bytes, this.#context.options)
    const state = this.#state?.take()
    const checkpoint = state !== undefined && { checkpoint: { seq: this.head, state } }
    return { first: this.first + count, ...checkpoint }
  }
}
