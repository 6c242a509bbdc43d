import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertCoordinatorDefinition, type CoordinatorDefinition } from '../schemas/coordinator.js'
import type { ReadMessage } from '../schemas/reader.js'
import { createValidate, type MessageSchemas, type Schema } from '../schemas/schema.js'
import { createBatch } from './batch.js'
import { createExpiries } from './expiry.js'
import { createPresence } from './peer-confirmation.js'
import { toRules } from './rules.js'
import { createUserCode, threw } from './user-code.js'
import { createWorkspace, entriesOf } from './workspace.js'

/** Hears what a folding does. */
export interface FoldingWatcher {
  /** A state was published. */
  committed(state: object): void
  /** The next entry leaves at this time (monotonic ms), sooner than was said before. */
  expiryScheduled(at: number): void
}

/**
 * The state of a protocol, and the only place where its folds run. Nothing here throws: what the
 * user's code throws is reported, and what it had changed by then is undone.
 *
 * Messages are folded into an open batch, which `commit` publishes. Every other change is published
 * at once, with what the open batch holds so far.
 */
export interface Folding<State extends object = object> {
  /** The published state. Another object exactly when something changed. */
  readonly state: State
  /** Folds a message into the open batch; one of a type without a fold does nothing. */
  fold(message: ReadMessage): void
  /**
   * Publishes the open batch.
   *
   * @returns Whether the state changed.
   */
  commit(): boolean
  /** Forgets the open batch. */
  discard(): void
  /** A connection opened. */
  openConnection(): void
  /** The connection dropped: nobody can tell whether the peers are still there. */
  dropConnection(): void
  /** Removes the peers that were not announced anew. */
  removeUnconfirmed(): void
  /** Removes the entries whose time has come. */
  removeExpired(): void
  /** When the next entry leaves, in monotonic milliseconds. */
  nextExpiryAt(): number | undefined
  /** From now on the types of messages are noted: they are newer than what is being loaded. */
  beginLoad(): void
  /**
   * Takes up what was loaded.
   *
   * @returns Whether it could be; if not, the reason has been reported.
   */
  applySnapshot(loaded: unknown): boolean
  /** The load gave nothing, or is no longer wanted. */
  abandonLoad(): void
  /** Whether the protocol says how a state is written down. */
  readonly hasCheckpoint: boolean
  /** The state written down, the open batch included; `undefined` where that cannot be done. */
  takeCheckpoint(): unknown
  /**
   * Puts a state that was written down in place of this one, without publishing it yet: what came
   * before in the open batch is overtaken by it.
   *
   * @returns Whether it could be; if not, the reason has been reported.
   */
  restoreCheckpoint(checkpoint: unknown): boolean
  /** Back to the initial state. */
  clear(): void
  /**
   * Sets the one watcher.
   *
   * @returns The function that removes it.
   */
  watch(watcher: FoldingWatcher): () => void
  /** Whether the protocol has state to load. */
  readonly hasSnapshot: boolean
  /** How long peers stay unconfirmed once the connection is back, in milliseconds. */
  readonly leaveAfterMs: number
  /** Where errors go. */
  readonly report: ReportError
}

/** What {@link createFolding} needs. */
export interface FoldingOptions {
  readonly clock: Pick<Clock, 'now'>
  readonly report: ReportError
}

/**
 * Makes the folding of a protocol's coordinator; without a definition the state stays `{}`.
 *
 * @throws SyncError `protocol-invalid` where the definition makes no sense.
 */
export function createFolding<
  R extends MessageSchemas,
  State extends object,
  S extends Schema,
  C extends Schema,
>(
  definition: CoordinatorDefinition<R, State, S, C> | undefined,
  { clock, report }: FoldingOptions,
): Folding<State> {
  if (definition !== undefined) assertCoordinatorDefinition(definition)
  const rules = toRules(definition)
  const { initial, snapshot, checkpoint, opened } = rules
  const validateSnapshot = snapshot && createValidate(snapshot.schema)
  const validateCheckpoint = checkpoint && createValidate(checkpoint.schema)
  const userCode = createUserCode(report)
  const workspace = createWorkspace(initial)
  const batch = createBatch(rules, workspace, userCode, report)
  const expiries = createExpiries(rules, userCode, clock)
  const presence = rules.presence && createPresence(rules.presence, workspace, userCode)

  let published = initial
  let seen: Set<string> | undefined
  let watcher: FoldingWatcher | undefined
  let announcedAt = Number.POSITIVE_INFINITY
  expiries.reset(initial)

  function fold(message: ReadMessage): void {
    seen?.add(message.type)
    batch.fold(message)
  }

  function publish(): boolean {
    batch.seal()
    const before = published
    if (workspace.base === before) return false
    published = workspace.base
    workspace.takeTouched((field, touched) => {
      expiries.track(field, touched, before, published)
    })
    watcher?.committed(published)
    announceExpiry()
    return true
  }

  function announceExpiry(): void {
    const next = expiries.nextAt()
    if (watcher === undefined || next === undefined || next >= announcedAt) return
    announcedAt = next
    watcher.expiryScheduled(next)
  }

  function removeExpired(): void {
    // What is in the open batch is newer, and may keep an entry.
    publish()
    for (const [field, keys] of expiries.takeExpired()) {
      for (const key of keys) entriesOf(workspace.draft, field).delete(key)
    }
    announcedAt = Number.POSITIVE_INFINITY
    if (!publish()) announceExpiry()
  }

  function applySnapshot(loaded: unknown): boolean {
    const noted = seen ?? new Set<string>()
    seen = undefined
    if (snapshot === undefined || validateSnapshot === undefined) return false
    const validated = validateSnapshot(loaded)
    if (!validated.ok) {
      const message = `what was loaded does not fit the snapshot's schema: ${validated.detail}`
      report(new SyncError('snapshot-failed', message))
      return false
    }
    const isDone = batch.change(
      'snapshot.fold',
      (draft, value: unknown) => snapshot.fold(draft, value, noted),
      validated.value,
    )
    publish()
    return isDone
  }

  function takeCheckpoint(): unknown {
    if (checkpoint === undefined) return undefined
    const taken = userCode.run('checkpoint.take', checkpoint.take, workspace.base, undefined)
    return taken === threw ? undefined : taken
  }

  function restoreCheckpoint(value: unknown): boolean {
    if (checkpoint === undefined || validateCheckpoint === undefined) return false
    const validated = validateCheckpoint(value)
    if (!validated.ok) {
      const message = `the server's state does not fit the checkpoint's schema: ${validated.detail}`
      report(new SyncError('snapshot-failed', message))
      return false
    }
    return batch.change('checkpoint.restore', checkpoint.restore, validated.value)
  }

  function clear(): void {
    const isChanged = published !== initial
    batch.drop()
    workspace.reset(initial)
    published = initial
    seen = undefined
    expiries.reset(initial)
    announcedAt = Number.POSITIVE_INFINITY
    if (isChanged) watcher?.committed(published)
    announceExpiry()
  }

  return {
    get state() {
      return published as State
    },
    fold(message) {
      if (userCode.isRunning) {
        userCode.whenFree(() => {
          fold(message)
        })
      } else {
        fold(message)
        userCode.catchUp()
      }
    },
    commit() {
      if (userCode.isRunning) return false
      const isChanged = publish()
      userCode.catchUp()
      return isChanged
    },
    discard() {
      userCode.whenFree(() => {
        batch.drop()
        workspace.reset(published)
      })
    },
    openConnection() {
      userCode.whenFree(() => {
        if (opened !== undefined) batch.change('opened', opened, undefined)
        publish()
      })
    },
    dropConnection() {
      userCode.whenFree(() => {
        batch.seal()
        presence?.unconfirmAll()
        publish()
      })
    },
    removeUnconfirmed() {
      userCode.whenFree(() => {
        batch.seal()
        presence?.removeUnconfirmed()
        publish()
      })
    },
    removeExpired() {
      userCode.whenFree(removeExpired)
    },
    nextExpiryAt: () => expiries.nextAt(),
    beginLoad() {
      seen = new Set()
    },
    applySnapshot,
    abandonLoad() {
      seen = undefined
    },
    hasCheckpoint: checkpoint !== undefined,
    takeCheckpoint() {
      userCode.whenFree(removeExpired)
      return takeCheckpoint()
    },
    restoreCheckpoint,
    clear() {
      userCode.whenFree(clear)
    },
    watch(next) {
      watcher = next
      announcedAt = Number.POSITIVE_INFINITY
      announceExpiry()
      return () => {
        if (watcher === next) watcher = undefined
      }
    },
    hasSnapshot: snapshot !== undefined,
    leaveAfterMs: rules.presence?.leaveAfterMs ?? 0,
    report,
  }
}
