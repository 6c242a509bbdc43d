import { type ReportError, SyncError } from '../base/errors.js'
import type { ReadMessage } from '../schemas/reader.js'
import type { DraftChange, Rules } from './rules.js'
import { threw, type UserCode } from './user-code.js'
import type { Workspace } from './workspace.js'

/** Changes that are not published yet, by messages and otherwise. Each is done wholly or not at all. */
export interface Batch {
  /** Folds a message. */
  fold(message: ReadMessage): void
  /**
   * Has user code change the state, apart from the messages before and after it.
   *
   * @returns Whether it did.
   */
  change<T>(name: string, apply: DraftChange<T>, value: T): boolean
  /** Lets what was done so far stand, whatever comes. */
  seal(): void
  /** Forgets what was done since the last seal. */
  drop(): void
}

interface NamedFold {
  readonly name: string
  readonly apply: DraftChange<ReadMessage>
}

/** Makes the open batch over a workspace. */
export function createBatch(
  rules: Rules,
  workspace: Workspace,
  userCode: UserCode,
  report: ReportError,
): Batch {
  const folds = new Map<string, NamedFold>()
  for (const [type, apply] of Object.entries(rules.fold)) {
    if (apply !== undefined) folds.set(type, { name: `fold.${type}`, apply })
  }
  // The messages in the draft, to be folded again without one that throws.
  let log: ReadMessage[] = []

  function tryChange<T>(name: string, apply: DraftChange<T>, value: T): boolean {
    const { draft } = workspace
    const returned = userCode.run(name, apply, draft, value)
    if (returned === threw) return false
    const problem = workspace.accept(returned)
    if (problem === undefined) return true
    report(new SyncError('fold-threw', `coordinator.${name} ${problem}`))
    return false
  }

  function tryFold(message: ReadMessage): boolean {
    const fold = folds.get(message.type)
    return fold === undefined || tryChange(fold.name, fold.apply, message)
  }

  // The draft that a fold threw on held the messages before it, too. They are sealed then, so
  // that many that throw do not have the others folded over and over.
  function foldAgain(messages: readonly ReadMessage[]): void {
    drop()
    if (!messages.every(tryFold)) {
      // A fold that throws only the second time: now each message stands by itself.
      workspace.dropDraft()
      for (const message of messages) {
        if (tryFold(message)) workspace.seal()
        else workspace.dropDraft()
      }
    }
    seal()
  }

  function seal(): void {
    workspace.seal()
    if (log.length > 0) log = []
  }

  function drop(): void {
    workspace.dropDraft()
    if (log.length > 0) log = []
  }

  return {
    fold(message) {
      const fold = folds.get(message.type)
      if (fold === undefined) return
      if (tryChange(fold.name, fold.apply, message)) log.push(message)
      else foldAgain(log)
    },
    change(name, apply, value) {
      seal()
      const isDone = tryChange(name, apply, value)
      if (isDone) seal()
      else drop()
      return isDone
    },
    seal,
    drop,
  }
}
