import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertCoordinatorDefinition, type CoordinatorDefinition } from '../schemas/coordinator.js'
import type { ReadMessage } from '../schemas/reader.js'
import {
  createValidate,
  type MessageSchemas,
  type Schema,
  type Validate,
} from '../schemas/schema.js'
import { Batch } from './batch.js'
import { Expiries } from './expiry.js'
import { PeerConfirmation } from './peer-confirmation.js'
import { type Rules, toRules } from './rules.js'
import { threw, UserCode } from './user-code.js'
import { draftOf, type StateFields, Workspace } from './workspace.js'

/** Is told what a folding does. */
export interface FoldingWatcher {
  /** A state was published. */
  committed(state: object): void
  /** The next entry is due at this time (monotonic ms), sooner than was said before. */
  expiryScheduled(at: number): void
}

/**
 * The state of a protocol, and the only place where its folds run. None of its functions throws: an
 * error of the user's code is reported, and what that code had changed is undone.
 *
 * Messages are folded into an open batch, which `commit` publishes. Every other change is published
 * at once, together with what the open batch holds by then.
 */
export interface Folding<State extends object = object> {
  /** The published state. A different object if and only if something changed. */
  readonly state: State
  /** Folds a message into the open batch. A type without a fold does nothing. */
  fold(message: ReadMessage): void
  /**
   * Publishes the open batch.
   *
   * @returns Whether the state changed.
   */
  commit(): boolean
  /** Undoes the open batch. */
  discard(): void
  /** Applies the `opened` rule: a connection opened. */
  openConnection(): void
  /** Marks all peers as unconfirmed: the connection dropped, or the server is about to list them. */
  unconfirmPeers(): void
  /** Removes the peers that are still unconfirmed. */
  removeUnconfirmedPeers(): void
  /** Removes the entries that are due. */
  removeExpired(): void
  /** When the next entry is due, in monotonic milliseconds. */
  nextExpiryAt(): number | undefined
  /** Begins to note the types of messages: they are newer than the snapshot being loaded. */
  beginLoad(): void
  /**
   * Applies a loaded snapshot, and ends the load.
   *
   * @returns Whether that succeeded. If not, the reason has been reported.
   */
  applySnapshot(loaded: unknown): boolean
  /** Ends a load that gave nothing or is no longer wanted. */
  abandonLoad(): void
  /** Whether the protocol has a checkpoint rule. */
  readonly hasCheckpoint: boolean
  /**
   * Publishes the open batch and gives the checkpoint of the state; `undefined` without a rule, or
   * where the rule throws.
   */
  takeCheckpoint(): unknown
  /**
   * Replaces the state by the one of a checkpoint, without publishing it yet. Earlier messages of
   * the open batch are overwritten.
   *
   * @returns Whether that succeeded. If not, the reason has been reported.
   */
  restoreCheckpoint(checkpoint: unknown): boolean
  /** Returns to the initial state. */
  clear(): void
  /**
   * Sets the one watcher.
   *
   * @returns The function that removes it.
   */
  watch(watcher: FoldingWatcher): () => void
  /** Whether the protocol has a snapshot rule. */
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
 * @throws SyncError `protocol-invalid` where a part of the definition is not valid.
 */
export function createFolding<
  R extends MessageSchemas,
  State extends object,
  S extends Schema,
  C extends Schema,
>(
  definition: CoordinatorDefinition<R, State, S, C> | undefined,
  options: FoldingOptions,
): Folding<State> {
  if (definition !== undefined) assertCoordinatorDefinition(definition)
  return new RuleFolding<State>(toRules(definition), options)
}

class RuleFolding<State extends object> implements Folding<State> {
  readonly report: ReportError
  readonly #rules: Rules
  readonly #validateSnapshot: Validate | undefined
  readonly #validateCheckpoint: Validate | undefined
  readonly #userCode: UserCode
  readonly #workspace: Workspace
  readonly #batch: Batch
  readonly #expiries: Expiries
  readonly #peers: PeerConfirmation | undefined

  #published: StateFields
  // The types of the messages that came during the load; `undefined` while nothing is loaded.
  #seen: Set<string> | undefined
  #watcher: FoldingWatcher | undefined
  // The time that the watcher was told last; later ones are not told.
  #announcedAt = Number.POSITIVE_INFINITY

  constructor(rules: Rules, { clock, report }: FoldingOptions) {
    const { initial, snapshot, checkpoint, presence } = rules
    this.report = report
    this.#rules = rules
    this.#validateSnapshot = snapshot && createValidate(snapshot.schema)
    this.#validateCheckpoint = checkpoint && createValidate(checkpoint.schema)
    this.#userCode = new UserCode(report)
    this.#workspace = new Workspace(initial)
    this.#batch = new Batch(rules, this.#workspace, this.#userCode, report)
    this.#expiries = new Expiries(rules, this.#userCode, clock)
    this.#peers = presence && new PeerConfirmation(presence, this.#workspace, this.#userCode)
    this.#published = initial
    this.#expiries.reset(initial)
  }

  get state(): State {
    return this.#published as State
  }

  get hasSnapshot(): boolean {
    return this.#rules.snapshot !== undefined
  }

  get hasCheckpoint(): boolean {
    return this.#rules.checkpoint !== undefined
  }

  get leaveAfterMs(): number {
    return this.#rules.presence?.leaveAfterMs ?? 0
  }

  fold(message: ReadMessage): void {
    if (this.#userCode.isRunning) {
      this.#userCode.whenFree(() => {
        this.#foldNow(message)
      })
    } else {
      this.#foldNow(message)
      this.#userCode.catchUp()
    }
  }

  commit(): boolean {
    if (this.#userCode.isRunning) return false
    const isChanged = this.#publish()
    this.#userCode.catchUp()
    return isChanged
  }

  discard(): void {
    this.#userCode.whenFree(() => {
      this.#batch.drop()
      this.#workspace.reset(this.#published)
    })
  }

  openConnection(): void {
    this.#userCode.whenFree(() => {
      const { opened } = this.#rules
      if (opened !== undefined) this.#batch.change('opened', opened, undefined)
      this.#publish()
    })
  }

  unconfirmPeers(): void {
    this.#userCode.whenFree(() => {
      this.#batch.seal()
      this.#peers?.unconfirmAll()
      this.#publish()
    })
  }

  removeUnconfirmedPeers(): void {
    this.#userCode.whenFree(() => {
      this.#batch.seal()
      this.#peers?.removeUnconfirmed()
      this.#publish()
    })
  }

  removeExpired(): void {
    this.#userCode.whenFree(() => {
      // The open batch is newer, and may give an entry more time.
      this.#publish()
      for (const [field, keys] of this.#expiries.takeExpired()) {
        for (const key of keys) draftOf(this.#workspace.draft, field).delete(key)
      }
      this.#announcedAt = Number.POSITIVE_INFINITY
      if (!this.#publish()) this.#announceExpiry()
    })
  }

  nextExpiryAt(): number | undefined {
    return this.#expiries.nextAt()
  }

  beginLoad(): void {
    this.#seen = new Set()
  }

  applySnapshot(loaded: unknown): boolean {
    const seen = this.#seen ?? new Set<string>()
    this.#seen = undefined
    const { snapshot } = this.#rules
    if (snapshot === undefined || this.#validateSnapshot === undefined) return false
    const validated = this.#validateSnapshot(loaded)
    if (!validated.ok) {
      this.#reportMisfit("what was loaded does not fit the snapshot's schema", validated.detail)
      return false
    }
    const isDone = this.#batch.change(
      'snapshot.fold',
      (draft, value: unknown) => snapshot.fold(draft, value, seen),
      validated.value,
    )
    this.#publish()
    return isDone
  }

  abandonLoad(): void {
    this.#seen = undefined
  }

  takeCheckpoint(): unknown {
    this.removeExpired()
    const { checkpoint } = this.#rules
    if (checkpoint === undefined) return undefined
    const { base } = this.#workspace
    const taken = this.#userCode.run('checkpoint.take', checkpoint.take, base, undefined)
    return taken === threw ? undefined : taken
  }

  restoreCheckpoint(value: unknown): boolean {
    const { checkpoint } = this.#rules
    if (checkpoint === undefined || this.#validateCheckpoint === undefined) return false
    const validated = this.#validateCheckpoint(value)
    if (!validated.ok) {
      this.#reportMisfit(
        "the server's state does not fit the checkpoint's schema",
        validated.detail,
      )
      return false
    }
    return this.#batch.change('checkpoint.restore', checkpoint.restore, validated.value)
  }

  clear(): void {
    this.#userCode.whenFree(() => {
      const { initial } = this.#rules
      const isChanged = this.#published !== initial
      this.#batch.drop()
      this.#workspace.reset(initial)
      this.#published = initial
      this.#seen = undefined
      this.#expiries.reset(initial)
      this.#announcedAt = Number.POSITIVE_INFINITY
      if (isChanged) this.#watcher?.committed(initial)
      this.#announceExpiry()
    })
  }

  watch(watcher: FoldingWatcher): () => void {
    this.#watcher = watcher
    this.#announcedAt = Number.POSITIVE_INFINITY
    this.#announceExpiry()
    return () => {
      if (this.#watcher === watcher) this.#watcher = undefined
    }
  }

  #foldNow(message: ReadMessage): void {
    this.#seen?.add(message.type)
    this.#batch.fold(message)
  }

  #publish(): boolean {
    this.#batch.seal()
    const before = this.#published
    const after = this.#workspace.base
    if (after === before) return false
    this.#published = after
    this.#workspace.takeTouched((field, touched) => {
      this.#expiries.track(field, touched, before, after)
    })
    this.#watcher?.committed(after)
    this.#announceExpiry()
    return true
  }

  #announceExpiry(): void {
    const next = this.#expiries.nextAt()
    if (this.#watcher === undefined || next === undefined || next >= this.#announcedAt) return
    this.#announcedAt = next
    this.#watcher.expiryScheduled(next)
  }

  #reportMisfit(what: string, detail: string): void {
    this.report(new SyncError('snapshot-failed', `${what}: ${detail}`))
  }
}
