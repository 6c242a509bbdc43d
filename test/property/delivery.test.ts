import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { play } from './delivery-history.js'
import { histories } from './delivery-steps.js'
import { Witnesses } from './witnesses.js'

/** What must have been seen over all runs of a property; far less than what is. */
const witnesses = {
  resumed: 400,
  reset: 250,
  duplicates: 60,
  gaps: 10,
  retransmitted: 60,
  refused: 250,
  refusedForNow: 15,
  delivered: 1_000,
  possibleDuplicate: 25,
  unknown: 40,
  expired: 300,
  replaced: 250,
  aborted: 90,
  cleared: 60,
  full: 200,
  sent: 30,
  plain: 30,
  memories: 50,
  forgotten: 50,
  hooks: 90,
}

async function holds(
  { canCrash, numRuns }: { readonly canCrash: boolean; readonly numRuns: number },
  atLeast: Record<string, number>,
): Promise<void> {
  const seen = new Witnesses()
  await fc.assert(
    fc.asyncProperty(histories(canCrash), async (history) => seen.add(await play(history))),
    { numRuns: fc.readConfigureGlobal().numRuns ?? numRuns },
  )
  seen.expectAtLeast(atLeast)
}

describe('a client with delivery, under any faults', { timeout: 120_000 }, () => {
  it('[DLV-20] is told the truth about each message, and has the state of the server', async () => {
    await holds({ canCrash: false, numRuns: 300 }, witnesses)
  })

  it('[DLV-20] [OUT-14] loses nothing that is persisted when it is killed', async () => {
    await holds(
      { canCrash: true, numRuns: 260 },
      { ...witnesses, crashes: 200, survived: 40, restored: 10, storageFailures: 100 },
    )
  })
})
