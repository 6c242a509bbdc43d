import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runChaos } from '../../chaos/run.js'
import { root } from '../../scripts/lib/run.mjs'

it('[DLV-20] [DSRV-23] [DSRV-32] loses nothing and repeats nothing while processes are killed and stopped', async () => {
  const verdict = await runChaos({
    messages: 3_000,
    seconds: 8,
    seed: 4,
    pauseMs: 200,
    patienceSeconds: 60,
  })
  // All in one, so that a failure shows what else was wrong.
  expect(verdict).toMatchObject({
    ...{ lost: 0, duplicated: 0, disordered: 0, possibleDuplicates: 0 },
    ...{ differing: [], problems: [], isGood: true },
  })
  expect(verdict.messages).toBeGreaterThanOrEqual(3_000)
  const witnesses = [
    ...['serverKills', 'serverStops', 'clientKills', 'clientStops', 'cuts', 'blackholes'],
    ...['clientResumed', 'clientReset', 'delivered', 'serverTaken', 'serverReplayed'],
  ]
  const missing = witnesses.filter((name) => !((verdict.witnesses[name] ?? 0) > 0))
  expect(missing).toEqual([])
  const left = [...(await readdir(tmpdir())), ...(await readdir(join(root, '.cache')))]
  expect(left.filter((name) => name.includes(`chaos-${process.pid}-`))).toEqual([])
})
