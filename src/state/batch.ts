import { type ReportError, SyncError } from '../base/errors.js'
import type { ReadMessage } from '../schemas/reader.js'
import type { DraftChange, Rules } from './rules.js'
import { threw, type UserCode } from './user-code.js'
import type { Workspace } from './workspace.js'

interface NamedFold {
  readonly name: string
  readonly apply: DraftChange<ReadMessage>
}

/**
 * The changes that are not published yet, made by messages and otherwise. Each change is made as a
 * whole or not at all.
 */
export class Batch {
  readonly #workspace: Workspace
  readonly #userCode: UserCode
  readonly #report: ReportError
  readonly #folds = new Map<string, NamedFold>()
  // The messages folded into the draft: folded again without the one whose fold throws.
  #messages: ReadMessage[] = []

  constructor(rules: Rules, workspace: Workspace, userCode: UserCode, report: ReportError) {
    this.#workspace = workspace
    this.#userCode = userCode
    this.#report = report
    for (const [type, apply] of Object.entries(rules.fold)) {
      if (apply !== undefined) this.#folds.set(type, { name: `fold.${type}`, apply })
    }
  }

  /** Folds a message. A type without a fold does nothing. */
  fold(message: ReadMessage): void {
    const fold = this.#folds.get(message.type)
    if (fold === undefined) return
    if (this.#tryChange(fold.name, fold.apply, message)) this.#messages.push(message)
    else this.#foldAgain(this.#messages)
  }

  /**
   * Lets user code change the state, apart from the messages before and after it.
   *
   * @returns Whether it did.
   */
  change<T>(name: string, apply: DraftChange<T>, value: T): boolean {
    this.seal()
    const isDone = this.#tryChange(name, apply, value)
    if (isDone) this.seal()
    else this.drop()
    return isDone
  }

  /** Keeps what was changed so far, whatever a later change does. */
  seal(): void {
    this.#workspace.seal()
    if (this.#messages.length > 0) this.#messages = []
  }

  /** Undoes what was changed since the last seal. */
  drop(): void {
    this.#workspace.dropDraft()
    if (this.#messages.length > 0) this.#messages = []
  }

  #tryChange<T>(name: string, apply: DraftChange<T>, value: T): boolean {
    const returned = this.#userCode.run(name, apply, this.#workspace.draft, value)
    if (returned === threw) return false
    const problem = this.#workspace.accept(returned)
    if (problem === undefined) return true
    this.#report(new SyncError('fold-threw', `coordinator.${name} ${problem}`))
    return false
  }

  #tryFold(message: ReadMessage): boolean {
    const fold = this.#folds.get(message.type)
    return fold === undefined || this.#tryChange(fold.name, fold.apply, message)
  }

  // The draft that a fold threw on held the earlier messages of the batch, too: they are folded
  // again. They are then sealed, so no message is folded again for a later fold that throws.
  #foldAgain(messages: readonly ReadMessage[]): void {
    this.drop()
    if (!messages.every((message) => this.#tryFold(message))) {
      // A fold throws that did not throw the first time: each message is now sealed by itself.
      this.#workspace.dropDraft()
      for (const message of messages) {
        if (this.#tryFold(message)) this.#workspace.seal()
        else this.#workspace.dropDraft()
      }
    }
    this.seal()
  }
}
