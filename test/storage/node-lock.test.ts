import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSystemClock } from '../../src/base/clock.js'
import { acquireLock } from '../../src/storage/node-lock.js'

const clock = createSystemClock()

let directory = ''

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'statewire-')), 'lock')
})

afterEach(async () => {
  await rm(join(directory, '..'), { recursive: true, force: true })
})

describe('a lock in the file system', () => {
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
