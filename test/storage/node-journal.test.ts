import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFile,
  type FileHandle,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { encodeRecords, openJournal } from '../../src/storage/node-journal.js'

const writer = fileURLToPath(new URL('journal-writer.ts', import.meta.url))
let folder = ''
let file = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statewire-'))
  file = join(folder, 'kept', 'journal')
  onTestFinished(() => {
    vi.restoreAllMocks()
    return rm(folder, { recursive: true, force: true })
  })
})

async function readAll(): Promise<readonly string[]> {
  const journal = await openJournal({ file })
  await journal.close()
  return journal.records
}

describe('a journal', () => {
  it('[STOR-40] keeps what was added, in order, for its owner only', async () => {
    const journal = await openJournal({ file })
    expect(journal.records).toEqual([])
    await journal.append(['a', '', '{"text":"ä\\ud800"}'])
    await Promise.all([journal.append(['b']), journal.append([]), journal.append(['c', 'd'])])
    await journal.close()
    expect(await readAll()).toEqual(['a', '', '{"text":"ä\\ud800"}', 'b', 'c', 'd'])
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await expect(journal.append(['e'])).rejects.toThrow('closed')
    await expect(journal.rewrite([])).rejects.toThrow('closed')
    expect(await readAll()).toHaveLength(6)
  })

  it('[STOR-40] is rewritten in one step, between what was asked for before and after', async () => {
    const journal = await openJournal({ file })
    const before = journal.append(['a'])
    const rewritten = journal.rewrite(['b', 'c'])
    const after = journal.append(['d'])
    await Promise.all([before, rewritten, after])
    expect(journal.bytes).toBe((await stat(file)).size)
    await journal.close()
    expect(await readAll()).toEqual(['b', 'c', 'd'])
    expect(await readdir(join(folder, 'kept'))).toEqual(['journal'])
  })

  it('[STOR-41] cuts off a torn tail, whatever byte it was torn at, and goes on', async () => {
    const records = ['first', 'second', 'ü'.repeat(20)]
    const whole = encodeRecords(records)
    const ends = records.map((_, index) => encodeRecords(records.slice(0, index + 1)).byteLength)
    await (await openJournal({ file })).close()
    let torn = 0
    for (let length = 0; length <= whole.byteLength; length += 1) {
      await writeFile(file, whole.subarray(0, length))
      const journal = await openJournal({ file })
      const complete = ends.filter((end) => end <= length).length
      if (length > 0 && !ends.includes(length)) torn += 1
      expect(journal.records).toEqual(records.slice(0, complete))
      await journal.append(['next'])
      await journal.close()
      expect(await readAll()).toEqual([...records.slice(0, complete), 'next'])
    }
    expect(torn).toBeGreaterThan(70)
  })

  it('[STOR-41] takes zeros, garbage and a flipped bit at its end for a torn tail', async () => {
    const journal = await openJournal({ file })
    await journal.append(['a'])
    await journal.close()
    const good = await readFile(file)
    const flipped = Buffer.from(encodeRecords(['b']))
    flipped[8] = flipped.readUInt8(8) ^ 1
    for (const tail of [Buffer.alloc(64), Buffer.alloc(64, 0xff), flipped]) {
      await writeFile(file, good)
      await appendFile(file, tail)
      expect(await readAll()).toEqual(['a'])
      expect((await stat(file)).size).toBe(good.byteLength)
    }
  })

  it('[STOR-40] holds what a list would, over any calls and openings', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 }).map((value) => JSON.stringify(value))
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), records: fc.array(text, { maxLength: 4 }) }),
      fc.record({ do: fc.constant('rewrite' as const), records: fc.array(text, { maxLength: 4 }) }),
      fc.constant({ do: 'reopen' as const, records: [] }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await rm(file, { force: true })
        let journal = await openJournal({ file })
        let expected: string[] = []
        const calls: Promise<void>[] = []
        for (const { do: what, records } of steps) {
          if (what === 'append') {
            expected.push(...records)
            calls.push(journal.append(records))
          } else if (what === 'rewrite') {
            expected = [...records]
            calls.push(journal.rewrite(records))
          } else {
            await journal.close()
            journal = await openJournal({ file })
            expect(journal.records).toEqual(expected)
          }
        }
        await Promise.all(calls)
        await journal.close()
        expect(await readAll()).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('[STOR-42] takes back what it could not write, and is at an end where it cannot', async () => {
    const journal = await openJournal({ file })
    await journal.append(['a'])
    const probe = await open(file)
    const handles = Object.getPrototypeOf(probe) as FileHandle
    await probe.close()
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    vi.spyOn(handles, 'datasync').mockRejectedValueOnce(full)
    await expect(journal.append(['lost'])).rejects.toBe(full)
    await journal.append(['b'])
    expect(await readAll()).toEqual(['a', 'b'])
    vi.spyOn(handles, 'sync').mockRejectedValueOnce(full)
    await expect(journal.rewrite(['lost'])).rejects.toBe(full)
    await journal.append(['c'])
    expect(await readdir(join(folder, 'kept'))).toEqual(['journal'])
    vi.spyOn(handles, 'datasync').mockRejectedValueOnce(full)
    vi.spyOn(handles, 'truncate').mockRejectedValueOnce(full)
    await expect(journal.append(['lost'])).rejects.toBe(full)
    await expect(journal.append(['d'])).rejects.toMatchObject({ cause: full })
    await journal.close()
    expect((await readAll()).slice(0, 3)).toEqual(['a', 'b', 'c'])
  })

  it('[STOR-41] has everything that it said is there, kill -9 after kill -9', async () => {
    let said = 0
    let extra = 0
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, ['--import', 'tsx', writer, file])
      onTestFinished(() => void child.kill('SIGKILL'))
      const lines = createInterface(child.stdout)
      lines.on('line', (line) => {
        said = Number(line)
      })
      await once(lines, 'line')
      // Writes take about a millisecond; another instant in each round.
      await new Promise((resolve) => setTimeout(resolve, 30 + round * 7.3))
      child.kill('SIGKILL')
      await once(child, 'close')
      const records = await readAll()
      expect(records.length).toBeGreaterThanOrEqual(said)
      extra += records.length - said
      expect(records.map((record) => Number.parseInt(record, 10))).toEqual(
        records.map((_, at) => at),
      )
      expect(records.every((record) => record.endsWith('x'.repeat(3_000)))).toBe(true)
    }
    // Witnesses: it was busy, and some kill fell between the disk and the word.
    expect(said).toBeGreaterThan(30)
    expect(extra).toBeGreaterThanOrEqual(0)
  })
})
