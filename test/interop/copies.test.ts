import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { createSyncClient, defineProtocol } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { createSyncServer } from 'statewire/server'
import { createSqliteDatabase } from 'statewire/storage/sqlite'
import { expect, it, onTestFinished } from 'vitest'
import * as z from 'zod'
import { makeFolder } from '../database/folder.js'

const chat = defineProtocol({ receive: {}, send: { SAY: z.object({ text: z.string() }) } })

/** A server that notes what it takes, and devices whose outboxes are files. */
async function createDevices() {
  const taken: string[] = []
  const server = createSyncServer({
    protocol: chat,
    authenticate: () => ({ ok: true, userId: 'ada', deviceId: 'camera' }),
    delivery: {},
    on: { SAY: ({ payload }) => taken.push(payload.text) },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  onTestFinished(() => server.close({ graceMs: 0 }))
  const folder = makeFolder()
  const pathOf = (name: string): string => join(folder, `${name}.db`)

  function run(name: string) {
    const database = createSqliteDatabase(pathOf(name), { pollMs: 50 })
    const sync = createSyncClient(chat, {
      url: `ws://127.0.0.1:${port}/ws`,
      backoff: { stepsMs: [20], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
      delivery: createDelivery({ database, leaseMs: 200, answerTimeoutMs: 1_000 }),
    })
    sync.start()
    let ended: Promise<void> | undefined
    async function end(): Promise<void> {
      sync.dispose()
      await sync.disposed
      await database.close()
    }
    const endOnce = (): Promise<void> => (ended ??= end())
    onTestFinished(endOnce)
    return { say: (text: string) => sync.send('SAY', { text }), end: endOnce }
  }

  function copy(from: string, to: string): void {
    for (const suffix of ['', '-wal', '-commits']) {
      const path = pathOf(from) + suffix
      if (existsSync(path)) copyFileSync(path, pathOf(to) + suffix)
    }
  }

  return { taken, run, copy }
}

it('[KEEP-10] [DSRV-24] delivers what two copies of a database accept, each message once', async () => {
  const { taken, run, copy } = await createDevices()
  const first = run('original')
  await first.say('before').settled
  await first.end()
  copy('original', 'clone')
  const copies = [run('original'), run('clone')]
  const texts: string[] = []
  const receipts = []
  for (let round = 0; round < 12; round += 1) {
    for (const [at, { say }] of copies.entries()) {
      texts.push(`${at}/${round}`)
      receipts.push(say(`${at}/${round}`))
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const outcomes = await Promise.all(receipts.map(({ settled }) => settled))
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(texts.map(() => 'delivered'))
  // What one copy had sent when the server turned to the other may arrive twice, and says so.
  const mayBeTwice = texts.filter((_, at) => {
    const outcome = outcomes[at]
    return outcome?.outcome === 'delivered' && outcome.possibleDuplicate === true
  })
  const once = [...new Set(taken)]
  expect(once.sort()).toEqual(['before', ...texts].sort())
  const twice = taken.filter((text, at) => taken.indexOf(text) !== at)
  expect(twice.filter((text) => !mayBeTwice.includes(text))).toEqual([])
})

it('[KEEP-10] [DSRV-24] sends from a backup that is some starts old', async () => {
  const { taken, run, copy } = await createDevices()
  const first = run('original')
  await first.say('a').settled
  await first.end()
  copy('original', 'backup')
  for (const text of ['b', 'c', 'd']) {
    const later = run('original')
    await later.say(text).settled
    await later.end()
  }
  expect(await run('backup').say('e').settled).toEqual({ outcome: 'delivered' })
  expect(taken).toEqual(['a', 'b', 'c', 'd', 'e'])
})
