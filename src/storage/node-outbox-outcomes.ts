import type { Clock } from '../clock.js'
import { listFolder, makeFolders, type OutboxFolders, readOutcomes } from './node-outbox-files.js'
import { watchFolder } from './node-watch.js'
import type { KeptOutcome } from './outbox-store.js'

/** Reads what others write of messages that are over. */
export interface OutcomeReader {
  /** From now on: what is there already is nobody's news. */
  begin(): void
  /** Once it is known what was there. */
  readonly begun: Promise<void>
  stop(): Promise<void>
}

/** Makes a reader that tells each outcome once, in order, but for those that `by` wrote itself. */
export function createOutcomeReader(
  folders: OutboxFolders,
  by: string,
  { clock, everyMs }: { readonly clock: Clock; readonly everyMs: number },
  tell: (id: string, outcome: KeptOutcome) => void,
): OutcomeReader {
  let newest: string | undefined
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
    const from = newest ?? names.at(-1) ?? ''
    newest = from
    for (const name of names.filter((other) => other > from)) {
      const file = await readOutcomes(folders.outcomes, name)
      newest = name
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
      newest = undefined
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
