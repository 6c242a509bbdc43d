import type { Clock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { assertCoordinatorDefinition, type CoordinatorDefinition } from '../schemas/coordinator.js'
import type { ReadMessage } from '../schemas/reader.js'
import {
  createValidate,
  type MessageSchemas,
  type Schema,
  type Validated,
} from '../schemas/schema.js'
import { Batch } from './batch.js'
import { Expiries } from './expiry.js'
import { removeUnconfirmed, unconfirmAll } from './peer-confirmation.js'
import type { Rules } from './rules.js'
import { threw, UserCode } from './user-code.js'
import { draftOf, type StateFields, Workspace } from './workspace.js'

/** Is told what a folding does. */
export interface FoldingWatcher {
  /** A state was published. */
  committed(state: object): void
  /** The next entry is due at this time (monotonic ms), sooner than was said before. */
  expiryScheduled(at: number): void
}

/** What {@link createFolding} needs. */
export interface FoldingOptions {
  readonly clock: Pick<Clock, 'now'>
  readonly report: ReportError
}

/**
 * The state of a protocol, and the only place where its folds run. None of its functions throws: an
 * error of the user's code is reported, and what that code had changed is undone.
 *
 * Messages are folded into an open batch, which `commit` publishes. Every other change is published
 * at once, together with what the open batch holds by then.
 */
export class Folding<State extends object = object> {
  /** Where errors go. */
  readonly report: ReportError
  readonly #rules: Rules
  readonly #userCode: UserCode
  readonly #workspace: Workspace
  readonly #batch: Batch
  readonly #expiries: Expiries

  #published: StateFields
  // The types of the messages that came since the last load began; `undefined` once it is applied.
  #seen: Set<string> | undefined
  #watcher: FoldingWatcher | undefined
  // The time that the watcher was told last; later ones are not told.
  #announcedAt = Number.POSITIVE_INFINITY

  /** @internal */
  constructor(rules: Rules, { clock, report }: FoldingOptions) {
    const { initial } = rules
    this.report = report
    this.#rules = rules
    this.#userCode = new UserCode(report)
    this.#workspace = new Workspace(initial)
    this.#batch = new Batch(rules, this.#workspace, this.#userCode, report)
    this.#expiries = new Expiries(rules, this.#userCode, clock)
    this.#published = initial
    this.#expiries.reset(initial)
  }

  /** The published state. A different object if and only if something changed. */
  get state(): State {
    return this.#published as State
  }

  /** Whether the protocol has a snapshot rule. */
  get hasSnapshot(): boolean {
    return this.#rules.snapshot !== undefined
  }

  /** How long peers stay unconfirmed once the connection is back, in milliseconds. */
  get leaveAfterMs(): number {
    return this.#rules.presence?.leaveAfterMs ?? 0
  }

  /** Folds a message into the open batch. A type without a fold does nothing. */
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

  /** Publishes the open batch; gives whether the state changed. */
  commit(): boolean {
    if (this.#userCode.isRunning) return false
    const isChanged = this.#publish()
    this.#userCode.catchUp()
    return isChanged
  }

  /** Undoes the open batch. */
  discard(): void {
    this.#userCode.whenFree(() => {
      this.#batch.drop()
      this.#workspace.reset(this.#published)
    })
  }

  /** Applies the `opened` rule: a connection opened. */
  openConnection(): void {
    const { opened } = this.#rules
    this.#publishChange(() => {
      if (opened !== undefined) this.#batch.change('opened', opened, undefined)
    })
  }

  /** Marks all peers as unconfirmed: the connection dropped, or the server is about to list them. */
  unconfirmPeers(): void {
    this.#changePeers(unconfirmAll)
  }

  /** Removes the peers that are still unconfirmed. */
  removeUnconfirmedPeers(): void {
    this.#changePeers(removeUnconfirmed)
  }

  /** Removes the entries that are due. */
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

  /** When the next entry is due, in monotonic milliseconds. */
  nextExpiryAt(): number | undefined {
    return this.#expiries.nextAt()
  }

  /** Begins to note the types of messages: they are newer than the snapshot being loaded. */
  beginLoad(): void {
    this.#seen = new Set()
  }

  /** Applies a loaded snapshot, and ends the load. Gives whether that succeeded; if not, reports why. */
  applySnapshot(loaded: unknown): boolean {
    const seen = this.#seen ?? new Set<string>()
    this.#seen = undefined
    const { snapshot } = this.#rules
    if (snapshot === undefined) return false
    const validated = this.#validate('what was loaded', 'snapshot', snapshot.schema, loaded)
    if (!validated.ok) return false
    const isDone = this.#batch.change(
      'snapshot.fold',
      (draft, value: unknown) => snapshot.fold(draft, value, seen),
      validated.value,
    )
    this.#publish()
    return isDone
  }

  /**
   * Publishes the open batch and gives the checkpoint of the state; `undefined` without a rule, or
   * where the rule throws.
   */
  takeCheckpoint(): unknown {
    this.removeExpired()
    const { checkpoint } = this.#rules
    if (checkpoint === undefined) return undefined
    const { base } = this.#workspace
    const taken = this.#userCode.run('checkpoint.take', checkpoint.take, base, undefined)
    return taken === threw ? undefined : taken
  }

  /**
   * Replaces the state by the one of a checkpoint, without publishing it yet. Earlier messages of
   * the open batch are overwritten. Gives whether that succeeded; if not, reports why.
   */
  restoreCheckpoint(value: unknown): boolean {
    const { checkpoint } = this.#rules
    if (checkpoint === undefined) return false
    const { schema, restore } = checkpoint
    const validated = this.#validate("the server's state", 'checkpoint', schema, value)
    return validated.ok && this.#batch.change('checkpoint.restore', restore, validated.value)
  }

  /** Returns to the initial state. */
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

  /** Sets the one watcher; gives the function that removes it. */
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

  #changePeers(change: typeof unconfirmAll): void {
    const { presence } = this.#rules
    this.#publishChange(() => presence && change(presence, this.#workspace, this.#userCode))
  }

  // Makes a change apart from the open batch, and publishes both.
  #publishChange(change: () => void): void {
    this.#userCode.whenFree(() => {
      this.#batch.seal()
      change()
      this.#publish()
    })
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

  #validate(what: string, rule: string, schema: Schema, value: unknown): Validated {
    const validated = createValidate(schema)(value)
    if (!validated.ok) {
      const message = `${what} does not fit the ${rule}'s schema: ${validated.detail}`
      this.report(new SyncError('snapshot-failed', message))
    }
    return validated
  }
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
  return new Folding((definition as Rules | undefined) ?? { initial: {}, fold: {} }, options)
}
