import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createResilientStore } from '../../src/storage/resilient.js'
import type { KeyValueStore } from '../../src/storage/store.js'
import { createManualClock } from '../../src/testing/clock.js'

const hang = <T>(): Promise<T> => new Promise(() => undefined)

function set(overrides: Partial<KeyValueStore> = {}) {
  const clock = createManualClock()
  const reports: SyncError[] = []
  const inner = createMemoryStore()
  const store = createResilientStore(
    { ...inner, ...overrides },
    { clock, onError: (error) => reports.push(error) },
  )
  return { clock, reports, inner, store }
}

const full = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('no room for token-canary'), { code: 'ENOSPC' }))

describe('a store that fails', () => {
  it('[STOR-5] keeps in memory what a full store refuses, and says so', async () => {
    const { store, reports, inner, clock } = set({ set: full, update: full })
    expect(store.isDurable).toBe(true)
    await store.set('a', '1')
    expect(await store.update('b', () => '2')).toBe('2')
    expect(await store.get('a')).toBe('1')
    expect(await store.update('a', (current) => `${String(current)}+`)).toBe('1+')
    expect([...(await store.keys())].sort()).toEqual(['a', 'b'])
    expect(await inner.keys()).toEqual([])
    expect(store.isDurable).toBe(false)
    expect(reports.map(({ code }) => code)).toEqual(Array(4).fill('storage-failed'))
    expect(reports[0]?.message).toContain('Error ENOSPC')
    expect(clock.pending.count).toBe(0)
  })

  it('[STOR-5] is durable again once the store has taken everything', async () => {
    let isFull = true
    const { store, inner } = set({ set: (key, value) => (isFull ? full() : inner.set(key, value)) })
    await store.set('a', '1')
    expect(store.isDurable).toBe(false)
    isFull = false
    await store.set('a', '2')
    expect(store.isDurable).toBe(true)
    expect(await inner.get('a')).toBe('2')
  })

  it('[STOR-5] reads what is stored where only updates fail', async () => {
    const { store, inner } = set({ update: full })
    await inner.set('a', 'kept')
    expect(await store.update('a', (current) => current ?? 'new')).toBe('kept')
  })

  it('[STOR-5] survives a store that throws at once, and one that gives nonsense', async () => {
    const { store, reports } = set({
      get: () => {
        throw new TypeError('broken')
      },
    })
    expect(await store.get('a')).toBeUndefined()
    expect(reports[0]?.message).toContain('TypeError')
    const other = set({ get: () => Promise.resolve(null as unknown as undefined) })
    expect(await other.store.get('a')).toBeUndefined()
    expect(other.reports).toEqual([])
  })

  it('[STOR-6] waits 3 s for a store that hangs, once, then uses memory', async () => {
    const { store, clock, reports } = set({ get: hang, set: hang, update: hang, keys: hang })
    let read: string | undefined = 'nothing yet'
    void store.get('a').then((value) => {
      read = value
    })
    await clock.advanceAsync(2_999)
    expect(read).toBe('nothing yet')
    await clock.advanceAsync(1)
    expect(read).toBeUndefined()
    await store.set('a', '1')
    expect(await store.update('b', () => '2')).toBe('2')
    expect(await store.get('a')).toBe('1')
    expect([...(await store.keys())].sort()).toEqual(['a', 'b'])
    expect(store.isDurable).toBe(false)
    expect(reports).toHaveLength(1)
    expect(clock.pending.count).toBe(0)
  })

  it('[STOR-6] still hands removals to a store that hangs', async () => {
    const { store, clock, inner } = set({ set: hang })
    await inner.set('token', 'old')
    void store.set('token', 'new')
    await clock.advanceAsync(3_000)
    await store.delete('token')
    expect(await inner.get('token')).toBeUndefined()
    expect(await store.get('token')).toBeUndefined()
  })

  it('[STOR-6] an update that comes back to life changes nothing', async () => {
    let revive = (): void => undefined
    const { store, clock, inner } = set({
      update: async (key, change) => {
        await new Promise<void>((resolve) => {
          revive = resolve
        })
        return await inner.update(key, change)
      },
    })
    await inner.set('a', 'old')
    const updated = store.update('a', () => 'new')
    await clock.advanceAsync(3_000)
    expect(await updated).toBe('new')
    revive()
    await clock.advanceAsync(0)
    expect(await inner.get('a')).toBe('old')
    expect(await store.get('a')).toBe('new')
  })

  it('[STOR-5] does not take an error of the change for one of the store', async () => {
    const { store, reports } = set()
    const error = new Error('mine')
    await expect(
      store.update('a', () => {
        throw error
      }),
    ).rejects.toBe(error)
    expect(reports).toEqual([])
  })

  it('[STOR-5] hears nothing from a store that cannot watch', () => {
    const { store, reports } = set({
      watch: () => {
        throw new Error('no')
      },
    })
    store.watch?.(() => undefined)()
    expect(reports.map(({ code }) => code)).toEqual(['storage-failed'])
    expect(set().store.watch).toBeUndefined()
  })

  it('[STOR-7] repeats neither values nor what was thrown in what it reports', async () => {
    const { store, reports } = set({ set: full })
    await store.set('session', 'token-canary')
    expect(JSON.stringify(reports.map(({ message, cause }) => [message, cause]))).not.toContain(
      'canary',
    )
  })
})
