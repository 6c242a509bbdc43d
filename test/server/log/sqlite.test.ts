import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createMemoryDatabase } from '../../../src/database/memory.js'
import { createSqliteLog, type DatabaseLog } from '../../../src/server/log/sqlite.js'
import { testLog } from './compliance.js'

async function makePath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'statewire-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'log.sqlite')
}

testLog(
  'SQLite',
  async () => {
    const path = await makePath()
    return {
      open: () => createSqliteLog(path),
      async reopen(log) {
        await (log as DatabaseLog).end()
        return createSqliteLog(path)
      },
    }
  },
  { numRuns: 10 },
)

describe('a log in SQLite', () => {
  it('[DSRV-32] has all that it said is there, kill -9 after kill -9', async () => {
    const path = await makePath()
    const said = new Map<string, { epoch: string; seq: number }>()
    for (let round = 0; round < 5; round += 1) {
      const writer = fileURLToPath(new URL('log-writer.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', writer, path])
      onTestFinished(() => void child.kill('SIGKILL'))
      const lines = createInterface(child.stdout)
      lines.on('line', (line) => {
        const [user = '', epoch = '', seq] = line.split(' ')
        expect(said.get(user)?.epoch ?? epoch).toBe(epoch)
        said.set(user, { epoch, seq: Number(seq) })
      })
      // Killed at another moment each time, after some commits.
      for (let line = 0; line < 40 + round * 7; line += 1) await once(lines, 'line')
      child.kill('SIGKILL')
      await once(child, 'close')
      const log = await createSqliteLog(path, { leaseMs: 100 })
      for (const [user, { epoch, seq }] of said) {
        const opened = await log.open(user)
        const head = opened.first + opened.messages.length - 1
        expect(opened.epoch).toBe(epoch)
        expect(head).toBeGreaterThanOrEqual(seq)
        // The mark and the message were written together, and so was the state at the trim.
        expect(opened.marks).toMatchObject([{ hwm: head }])
        expect(opened.messages.map((message) => message.seq)).toEqual(
          opened.messages.map((_, at) => opened.first + at),
        )
        if (opened.first > 1) {
          expect(opened.checkpoint!.seq).toBeGreaterThanOrEqual(opened.first - 1)
        }
      }
      await log.end()
    }
    // A witness: the logs were trimmed, too.
    expect(said.get('ada')!.seq).toBeGreaterThan(50)
  })

  it('[DSRV-33] is one server’s own, and takes a database of the user’s', async () => {
    const path = await makePath()
    const log = await createSqliteLog(path)
    await expect(createSqliteLog(path)).rejects.toMatchObject({ code: 'option-invalid' })
    await log.end()
    await (await createSqliteLog(path)).end()
    const database = createMemoryDatabase()
    await (await createSqliteLog(database)).end()
    // It is not closed with the log.
    await (await createSqliteLog(database)).end()
  })
})
