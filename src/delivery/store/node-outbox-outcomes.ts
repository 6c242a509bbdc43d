import type { Clock } from '../../base/clock.js'
import { listFolder, makeFolders, type OutboxFolders, readOutcomes } from './node-outbox-files.js'
import { watchFolder } from './node-watch.js'
import type { StoredOutcome } from './outbox-store.js'

/** Reads what others write of messages that are over. */
export interface FileOutcomeReader {
  /** From now on: what is there already is nobody's news. */
  begin(): void
  /** Once it is known what was there. */
  readonly begun: Promise<void>
  stop(): Promise<void>
}

/** Makes a reader that tells each outcome once, in order, but for those that `by` wrote itself. */
export function createFileOutcomeReader(
  folders: OutboxFolders,
  by: string,
  { clock, everyMs }: { readonly clock: Clock; readonly everyMs: number },
  tell: (id: string, outcome: StoredOutcome) => void,
): FileOutcomeReader {
  // Not the newest alone: who was put off may finish telling after the next one has begun.
  let known: ReadonlySet<string> | undefined
  let isWanted = false
  let stopWatching: () => void = () => undefined
  let last: Promise<void> = Promise.resolve()
  let begun: Promise<void> = last
  let isLookWaiting = false

  // One after another. What fails is tried again with the next change.
  function inTurn(run: () => Promise<void>): void {
    last = last.then(run).catch(() => undefined)
  }

  async function pull(): Promise<void> {
    const names = await listFolder(folders.outcomes)
    const before = known ?? new Set(names)
    // Those that were pruned are not needed any more.
    const now = new Set(names.filter((name) => before.has(name)))
    known = now
    for (const name of names) {
      if (before.has(name)) continue
      const file = await readOutcomes(folders.outcomes, name)
      now.add(name)
      if (file === undefined || file.by === by) continue
      for (const { id, outcome } of file.outcomes) if (hears()) tell(id, outcome)
    }
  }
  const hears = (): boolean => isWanted

  // Of any number of changes that come meanwhile, one look sees all.
  function look(): void {
    if (isLookWaiting) return
    isLookWaiting = true
    inTurn(async () => {
      isLookWaiting = false
      await pull()
    })
  }

  return {
    get begun() {
      return begun
    },
    begin() {
      isWanted = true
      known = undefined
      inTurn(async () => {
        await makeFolders(folders)
        await pull()
        if (!hears()) return
        stopWatching()
        stopWatching = watchFolder({
          ...{ directory: folders.outcomes, clock, everyMs },
          onChange: look,
        })
      })
      begun = last
    },
    stop() {
      isWanted = false
      stopWatching()
      return last
    },
  }
}
