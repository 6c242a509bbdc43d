import type { Database } from './indexeddb-database.js'
import { lastKeyOf, type OutcomeRecord, readAfter } from './indexeddb-records.js'
import type { StoredOutcome } from './outbox-store.js'

/** Reads what others write of messages that are over. */
export interface OutcomeReader {
  /** From now on: what is there already is nobody's news. */
  begin(): void
  pull(): Promise<void>
}

/** Makes a reader that tells each outcome once, in order, but for those that `by` wrote itself. */
export function createOutcomeReader(
  database: Database,
  by: string,
  tell: (id: string, outcome: StoredOutcome) => void,
): OutcomeReader {
  let lastKey: number | undefined
  let last: Promise<unknown> = Promise.resolve()

  // One after another, each from where the one before came to.
  function inTurn(run: () => Promise<void>): Promise<void> {
    const turn = last.then(run)
    last = turn.catch(() => undefined)
    return turn
  }

  async function findBeginning(): Promise<number> {
    lastKey ??= await database.run('read', ({ outcomes }) => lastKeyOf(outcomes))
    return lastKey
  }

  return {
    begin() {
      lastKey = undefined
      inTurn(async () => {
        await findBeginning()
      }).catch(() => {
        // Found by the next pull.
      })
    },
    pull: () =>
      inTurn(async () => {
        const from = await findBeginning()
        const found = await database.run('read', ({ outcomes }) =>
          readAfter<OutcomeRecord>(outcomes, from),
        )
        lastKey = found.at(-1)?.key ?? from
        for (const { record } of found) {
          if (record.by !== by) tell(record.id, record.outcome)
        }
      }),
  }
}
