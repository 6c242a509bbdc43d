import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSystemClock } from '../../src/base/clock.js'
import { createFileStore } from '../../src/storage/node.js'
import { acquireLock } from '../../src/storage/node-lock.js'

const writer = fileURLToPath(new URL('node-writer.ts', import.meta.url))
const clock = createSystemClock()

let directory = ''
const children = new Set<ChildProcessWithoutNullStreams>()

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'statewire-')), 'store')
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await rm(join(directory, '..'), { recursive: true, force: true })
})

function start(job: string, turns: number): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, directory, job, String(turns)])
  children.add(child)
  return child
}

async function output(child: ChildProcessWithoutNullStreams): Promise<string[]> {
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(0)
  return lines
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

// Processes take their time to start where others run beside them.
const patient = { timeout: 60_000 }

describe('files', () => {
  it('[STOR-10] are readable by their owner only, whatever was there before', async () => {
    await createFileStore({ directory }).set('session', 'secret')
    expect(await modeOf(directory)).toBe(0o700)
    expect(await modeOf(join(directory, 'session'))).toBe(0o600)
    await chmod(join(directory, 'session'), 0o644)
    await createFileStore({ directory }).set('session', 'secret')
    expect(await modeOf(join(directory, 'session'))).toBe(0o600)
  })

  it('[STOR-10] leave nothing but values behind', async () => {
    const store = createFileStore({ directory })
    for (let turn = 0; turn < 5; turn += 1) await store.set('a', String(turn))
    await store.delete('a')
    expect(await readdir(directory)).toEqual(['~lock'])
    // The last holder's number and the one before it.
    expect((await readdir(join(directory, '~lock'))).length).toBeLessThanOrEqual(2)
  })

  it('[STOR-10] refuses to be made without a directory', () => {
    expect(() => createFileStore({ directory: '' })).toThrow(
      expect.objectContaining({ code: 'option-invalid' }) as Error,
    )
  })

  it('[STOR-10] say so where the folder cannot be used, and leave no draft', async () => {
    await writeFile(directory, 'a file is in the way')
    const store = createFileStore({ directory })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(store.set('a', '1')).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(store.keys()).rejects.toMatchObject({ code: 'ENOTDIR' })
    await rm(directory)
    expect(await store.keys()).toEqual([])
    // A folder where the value is to stand.
    await mkdir(join(directory, 'a', 'b'), { recursive: true })
    await expect(store.set('a', '1')).rejects.toThrow()
    await expect(store.delete('a')).rejects.toThrow()
    await expect(store.get('a')).rejects.toMatchObject({ code: 'EISDIR' })
    expect((await readdir(directory)).sort()).toEqual(['a', '~lock'])
    await store.set('c', '1')
    expect(await store.get('c')).toBe('1')
  })

  it('[STOR-12] nothing is written by who has lost the lock', async () => {
    const store = createFileStore({ directory })
    await store.set('a', 'kept')
    const lost = store.update('a', () => {
      // Somebody took the lock for orphaned while we slept.
      writeFileSync(join(directory, '~lock', '999'), '')
      return 'late'
    })
    await expect(lost).rejects.toMatchObject({ code: 'ELOCKED' })
    expect(await store.get('a')).toBe('kept')
    await store.set('a', 'next')
    expect(await store.get('a')).toBe('next')
  })

  it('[STOR-11] loses no update of processes that write at once', patient, async () => {
    const turns = 25
    await Promise.all(
      [start('count', turns), start('count', turns), start('count', turns)].map(output),
    )
    expect(await createFileStore({ directory }).get('count')).toBe(String(3 * turns))
  })

  it(
    '[STOR-11] has one maker of a value, however many processes want to be it',
    patient,
    async () => {
      const made = await Promise.all(Array.from({ length: 3 }, () => output(start('make', 1))))
      expect(new Set(made.flat()).size).toBe(1)
    },
  )

  it(
    '[STOR-12] survives kill -9 at any moment: the value is whole, and the next writer gets its turn',
    patient,
    async () => {
      const store = createFileStore({ directory })
      let orphans = 0
      for (let round = 0; round < 8; round += 1) {
        const child = start('rewrite', 1_000_000)
        const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
        expect(line).toBe('0')
        // Writes take about a millisecond; a different instant in each round.
        await new Promise((resolve) => setTimeout(resolve, 5 + round * 1.3))
        child.kill('SIGKILL')
        await once(child, 'close')
        const left = (await readdir(directory)).filter((name) => name !== '~lock')
        if (left.some((name) => name.startsWith('~'))) orphans += 1
        const text = (await store.get('text')) ?? ''
        const turn = text.slice(0, text.indexOf(' ') + 1)
        expect(text).toBe(turn.repeat(50_000))
        await store.set('mine', String(round))
        expect(await store.get('mine')).toBe(String(round))
      }
      // Witnesses: most of the writers were killed half way.
      expect(orphans).toBeGreaterThan(0)
      expect((await readdir(directory)).sort()).toEqual(['mine', 'text', '~lock'])
    },
  )
})

describe('the lock of a file store', () => {
  const timeoutMs = 30
  const acquire = () => acquireLock({ directory, clock, timeoutMs })
  const hold = (holder: object) => writeFile(join(directory, '7'), JSON.stringify(holder))
  const age = (seconds: number) => {
    const then = Date.now() / 1000 - seconds
    return utimes(join(directory, '7'), then, then)
  }

  beforeEach(() => mkdir(directory, { recursive: true }))

  it('[STOR-12] is held by one at a time, with a number larger than any before', async () => {
    const first = await acquire()
    await expect(acquire()).rejects.toMatchObject({ code: 'ELOCKED' })
    await first.release()
    const second = await acquire()
    expect(second.fence).toBeGreaterThan(first.fence)
    expect([await first.isHeld(), await second.isHeld()]).toEqual([false, true])
    expect(second.wasOrphaned).toBe(false)
    await first.release()
    expect(await second.isHeld()).toBe(true)
  })

  it('[STOR-12] passes from a dead process, or one whose number another has now', async () => {
    const child = spawn(process.execPath, ['--version'])
    await once(child, 'close')
    await hold({ pid: child.pid, host: hostname() })
    expect(await acquire()).toMatchObject({ fence: 8, wasOrphaned: true })
    await rm(directory, { recursive: true })
    await mkdir(directory)
    await hold({ pid: process.pid, host: hostname(), birth: 'another boot 1' })
    expect(await acquire()).toMatchObject({ fence: 8, wasOrphaned: true })
  })

  it('[STOR-12] passes after 10 s from a holder that cannot be looked up', async () => {
    for (const holder of [{ pid: 1, host: 'elsewhere' }, { nonsense: true }]) {
      await hold(holder)
      await age(9)
      await expect(acquire()).rejects.toMatchObject({ code: 'ELOCKED' })
      await age(11)
      const lock = await acquire()
      expect(lock.wasOrphaned).toBe(true)
      await rm(directory, { recursive: true })
      await mkdir(directory)
    }
  })

  it('[STOR-12] clears away what the killed left of their waiting', async () => {
    await hold({ pid: 1, host: 'elsewhere' })
    await age(11)
    await writeFile(join(directory, '~old'), '')
    await utimes(join(directory, '~old'), 0, 0)
    await writeFile(join(directory, '~young'), '')
    await acquire()
    expect(await readdir(directory)).not.toContain('~old')
    expect(await readdir(directory)).toContain('~young')
  })

  it('[STOR-14] is kept for long by who shows that it lives, and lost by who does not', async () => {
    const leaseMs = 5_000
    const patient = { directory, clock, timeoutMs, leaseMs }
    const file = (fence: number) => join(directory, String(fence))
    const first = await acquireLock(patient)
    // Of a living holder the lock is not taken without a lease.
    await utimes(file(first.fence), 0, 0)
    await expect(acquire()).rejects.toMatchObject({ code: 'ELOCKED' })
    expect(await first.keep()).toBe(true)
    await expect(acquireLock(patient)).rejects.toMatchObject({ code: 'ELOCKED' })
    await utimes(file(first.fence), 0, 0)
    const second = await acquireLock(patient)
    expect(second.wasOrphaned).toBe(true)
    expect([await first.keep(), await first.isHeld()]).toEqual([false, false])
    expect(await second.keep()).toBe(true)
    // Once nothing is left of it, it is still lost.
    await second.release()
    await (await acquireLock(patient)).release()
    expect(await first.keep()).toBe(false)
    await rm(directory, { recursive: true })
    await mkdir(directory)
    expect(await second.isHeld()).toBe(false)
  })

  it('[STOR-14] is waited for as long as it takes, or until nobody wants it', async () => {
    await hold({ pid: process.pid, host: hostname() })
    const controller = new AbortController()
    const steps = [() => Promise.resolve(), () => Promise.resolve(), () => age(11)]
    const lock = await acquireLock({
      ...{ directory, clock, timeoutMs: Number.POSITIVE_INFINITY },
      pause: async () => {
        await steps.shift()?.()
      },
    })
    expect(steps).toEqual([])
    expect(lock.fence).toBe(8)
    const waiting = acquireLock({
      ...{ directory, clock, timeoutMs: Number.POSITIVE_INFINITY, signal: controller.signal },
      pause: () => {
        controller.abort()
        return Promise.resolve()
      },
    })
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    expect((await readdir(directory)).filter((name) => name.startsWith('~'))).toEqual([])
  })
})
