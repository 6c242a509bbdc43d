import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { eventually } from '../eventually.js'
import { makeFolder } from './folder.js'
import { findNode } from './node-versions.js'

const writer = fileURLToPath(new URL('sqlite-writer.ts', import.meta.url))
const children = new Set<ChildProcessWithoutNullStreams>()

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

/** Processes that write to one database. */
class Writers {
  readonly confirmed: string[] = []
  readonly #node: string
  readonly #path: string
  #started = 0

  constructor(node: string, path: string) {
    this.#node = node
    this.#path = path
  }

  start(): ChildProcessWithoutNullStreams {
    this.#started += 1
    const name = `writer-${this.#started}`
    const child = spawn(this.#node, ['--import', 'tsx', writer, this.#path, name])
    children.add(child)
    createInterface(child.stdout).on('line', (line) => this.confirmed.push(line))
    return child
  }

  /** Waits until more rows were confirmed. */
  async go(rows: number): Promise<void> {
    const wanted = this.confirmed.length + rows
    await eventually(() => expect(this.confirmed.length).toBeGreaterThanOrEqual(wanted))
  }
}

async function kill(child: ChildProcessWithoutNullStreams): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'close')
}

// Processes take their time to start where others run beside them.
const patient = { timeout: 180_000 }

describe.each([20, 22, 24] as const)('processes of Node %i', (version) => {
  it(
    '[DB-10] lose and repeat nothing that was confirmed, killed and stopped',
    patient,
    async () => {
      const path = join(makeFolder(), 'test.db')
      const writers = new Writers(await findNode(version), path)
      let [first, second, third] = [writers.start(), writers.start(), writers.start()]
      for (let round = 0; round < 6; round += 1) {
        await writers.go(40)
        // A process that is stopped within a transaction holds up the others until it goes on.
        second.kill('SIGSTOP')
        await kill(first)
        second.kill('SIGCONT')
        ;[first, second, third] = [second, third, writers.start()]
      }
      await writers.go(40)
      for (const child of [first, second, third]) await kill(child)

      const database = createSqliteDatabase(path)
      const rows = await database.transact([{ table: 'log' }], ({ rows: [log = []] }) => ({
        result: log.map(({ value }) => value),
      }))
      await database.close()
      expect(writers.confirmed).not.toContain('storage-damaged')
      expect(new Set(rows).size).toBe(rows.length)
      const inLog = new Set(rows)
      expect(writers.confirmed.filter((id) => !inLog.has(id))).toEqual([])
      // At most the row that each killed process had not yet told of.
      expect(rows.length - writers.confirmed.length).toBeLessThanOrEqual(9)
      // Each process wrote its rows in order.
      const ofOne = rows.filter((id) => id.startsWith('writer-3-'))
      expect(ofOne).toEqual(ofOne.map((_, turn) => `writer-3-${turn}`))
    },
  )
})
