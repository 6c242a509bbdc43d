import type { ResetReason } from '../../schemas/control.js'
import type { EnvelopeDirection } from '../../schemas/envelope.js'
import { isThenable } from '../reporting.js'
import type {
  ClientMark,
  DeliveryLog,
  LogChange,
  LoggedMessage,
  UserLog,
} from '../log/delivery-log.js'
import { encodeNumbered, sizeOf, type UnnumberedMessage } from './logged-message.js'
import { createLane, type Work } from './write-queue.js'
import type { CreateSharedState, SharedState } from './shared-state.js'
import { applyChange, headOf, markKey, readUserLog, type UserLogState } from '../log/user-log.js'

/** How much is kept of each user. */
export interface MailboxBounds {
  readonly maxEntries: number
  readonly maxLogBytes: number
  readonly maxClients: number
}

/** What is about to be written. */
export interface Draft {
  /** Gives a message the next number, and tells it. */
  append(message: UnnumberedMessage): number
  /** How far an outbox will have come. */
  mark(key: string): ClientMark | undefined
  putMark(mark: ClientMark): void
  /** Has something done once, after the works have settled. */
  atEnd(run: () => void): void
}

/** Work on a mailbox. */
export type MailboxWork = Work<Draft>

/** Whoever takes numbered messages as fast as it can. */
export interface Reader {
  /** Whether what it takes goes anywhere. */
  readonly isOpen: boolean
  /** Takes what there is. Does not throw. */
  pump(): void
}

/** All that is known of one user's messages: what is written, and what is about to be. */
export interface Mailbox {
  readonly userId: string
  readonly epoch: string
  /** The number of the oldest message that is kept; of the next one where none is. */
  readonly first: number
  /** The number of the newest message; 0: none yet. */
  readonly head: number
  readonly isLoaded: boolean
  readonly isIdle: boolean
  readonly readers: Set<Reader>
  /** The keys of the marks that are not to be forgotten: of the outboxes that are heard. */
  readonly heard: Set<string>
  /** Does work in its turn; what is told of the mailbox is true from the first work's settling on. */
  push(work: MailboxWork): void
  mark(key: string): ClientMark | undefined
  /** The frame of a message that is kept. */
  frame(seq: number): Uint8Array
  /** Where a client goes on whose cursor is of no use, and with which state. */
  snapshot(why: ResetReason): { readonly seq: number; readonly state?: unknown }
}

/** What {@link createMailbox} needs. */
export interface MailboxOptions {
  readonly userId: string
  readonly log: DeliveryLog
  readonly bounds: MailboxBounds
  readonly envelope: EnvelopeDirection
  readonly createState: CreateSharedState | undefined
  readonly failed: (cause: unknown) => void
  readonly becameIdle: (mailbox: Mailbox) => void
}

// The frames of the newest messages, which several connections are sent at about the same time.
const MOST_FRAMES = 256
// Trimming writes the state down, so it is done for many messages at once.
const KEPT_BY_TRIM = 0.9

interface OpenDraft extends Draft {
  readonly appended: LoggedMessage[]
  readonly marks: Map<string, ClientMark>
  readonly ends: Set<() => void>
  trim: LogChange['trim']
}

/** Makes the {@link Mailbox} of a user; it is read from the log when it is first needed. */
export function createMailbox(options: MailboxOptions): Mailbox {
  const { userId, bounds, envelope } = options
  let log: UserLogState = { ...readUserLog({ epoch: '', first: 1, messages: [], marks: [] }) }
  let isLoaded = false
  let isTrimming = false
  let bytes = 0
  let state: SharedState | undefined
  const frames = new Map<number, Uint8Array>()
  const readers = new Set<Reader>()
  const heard = new Set<string>()

  function load(opened: UserLog): void {
    log = readUserLog(opened)
    bytes = log.messages.reduce((sum, message) => sum + sizeOf(message), 0)
    state = options.createState?.(userId, log)
    isLoaded = true
  }

  function begin(): OpenDraft {
    const appended: LoggedMessage[] = []
    const marks = new Map<string, ClientMark>()
    const ends = new Set<() => void>()
    return {
      appended,
      marks,
      ends,
      trim: undefined,
      append(message) {
        const seq = headOf(log) + appended.length + 1
        appended.push({ seq, ...message })
        return seq
      },
      mark: (key) => marks.get(key) ?? log.marks.get(key),
      putMark(mark) {
        marks.set(markKey(mark), mark)
      },
      atEnd(run) {
        ends.add(run)
      },
    }
  }

  const changes = new WeakMap<OpenDraft, LogChange>()

  function commit(draft: OpenDraft): unknown {
    const { appended, marks, trim } = draft
    if (appended.length === 0 && marks.size === 0 && trim === undefined) return undefined
    const change: LogChange = {
      epoch: log.epoch,
      ...(appended.length > 0 && { append: appended }),
      ...(marks.size > 0 && { marks: [...marks.values()], forget: leastUsed(marks) }),
      ...(trim !== undefined && { trim }),
    }
    changes.set(draft, change)
    return options.log.commit(userId, change)
  }

  function leastUsed(added: ReadonlyMap<string, ClientMark>): ClientMark[] {
    const unknown = [...added.keys()].filter((key) => !log.marks.has(key)).length
    let over = log.marks.size + unknown - bounds.maxClients
    const forgotten: ClientMark[] = []
    for (const [key, mark] of log.marks) {
      if (over <= 0) break
      if (added.has(key) || heard.has(key)) continue
      forgotten.push(mark)
      over -= 1
    }
    return forgotten
  }

  function committed(draft: OpenDraft): void {
    const change = changes.get(draft)
    if (change === undefined) return
    applyChange(log, change)
    for (const message of draft.appended) bytes += sizeOf(message)
    state?.fold(draft.appended)
    if (change.trim !== undefined) {
      bytes = log.messages.reduce((sum, message) => sum + sizeOf(message), 0)
    }
    trimIfNeeded()
    for (const reader of readers) reader.pump()
  }

  function trimIfNeeded(): void {
    const { messages } = log
    if (isTrimming || (messages.length <= bounds.maxEntries && bytes <= bounds.maxLogBytes)) return
    const most = Math.max(1, Math.floor(bounds.maxEntries * KEPT_BY_TRIM))
    let over = bytes - bounds.maxLogBytes * KEPT_BY_TRIM
    const kept = messages.findIndex((message, index) => {
      if (messages.length - index <= most && over <= 0) return true
      over -= sizeOf(message)
      return false
    })
    const first = log.first + (kept < 0 ? messages.length : kept)
    const done = () => {
      isTrimming = false
    }
    isTrimming = true
    lane.push({
      stage(draft) {
        const taken = state?.take()
        const checkpoint =
          taken === undefined ? {} : { checkpoint: { seq: headOf(log), state: taken } }
        draft.trim = { first, ...checkpoint }
      },
      settle: done,
      fail: done,
    })
  }

  const lane = createLane<OpenDraft>({
    start() {
      const opened = options.log.open(userId)
      if (isThenable(opened)) return opened.then(load)
      load(opened)
      return undefined
    },
    begin,
    commit,
    committed,
    settled({ ends }) {
      for (const run of ends) run()
    },
    failed: options.failed,
    becameIdle: () => options.becameIdle(mailbox),
    limit: bounds.maxEntries,
  })

  const mailbox: Mailbox = {
    userId,
    get epoch() {
      return log.epoch
    },
    get first() {
      return log.first
    },
    get head() {
      return headOf(log)
    },
    get isLoaded() {
      return isLoaded
    },
    get isIdle() {
      return lane.isIdle
    },
    readers,
    heard,
    push: (work) => lane.push(work),
    mark: (key) => log.marks.get(key),
    frame(seq) {
      const known = frames.get(seq)
      if (known !== undefined) return known
      const message = log.messages[seq - log.first]
      if (message === undefined) throw new RangeError(`message ${seq} is not kept`)
      const frame = encodeNumbered(envelope, message, userId, log.epoch)
      frames.set(seq, frame)
      for (const oldest of frames.keys()) {
        if (frames.size <= MOST_FRAMES) break
        frames.delete(oldest)
      }
      return frame
    },
    snapshot(why) {
      const taken = state?.take()
      if (taken !== undefined) return { seq: headOf(log), state: JSON.parse(taken) }
      // Without a state a client that was there before is better off with what is left of the log;
      // a new one starts now, and one that is ahead has heard what there is.
      const isOld = why === 'epoch' || why === 'trimmed'
      return { seq: isOld ? log.first - 1 : headOf(log) }
    },
  }
  return mailbox
}
