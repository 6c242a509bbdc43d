import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSystemClock } from '../../src/base/clock.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { createDeviceId } from '../../src/session/device-id.js'
import { createDatabaseStore } from '../../src/storage/database.js'
import { createWebStore } from '../../src/storage/browser.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createResilientStore } from '../../src/storage/resilient.js'
import { createFakeOrigin } from '../storage/fake-browser.js'

const version4 = /^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/

describe('the device id', () => {
  it('[DEV-1] is an upper-case UUID, made once and kept', async () => {
    const store = createMemoryStore()
    const id = await createDeviceId({ store }).get()
    expect(id).toMatch(version4)
    expect(await createDeviceId({ store }).get()).toBe(id)
    expect(await store.get('device-id')).toBe(id)
    const others = await Promise.all(
      Array.from({ length: 100 }, () => createDeviceId({ store: createMemoryStore() }).get()),
    )
    expect(new Set(others).size).toBe(100)
    for (const other of others) expect(other).toMatch(version4)
  })

  it('[DEV-2] is the same for everyone who asks first at once', async () => {
    const store = createMemoryStore()
    const deviceId = createDeviceId({ store })
    const ids = await Promise.all([deviceId.get(), deviceId.get(), createDeviceId({ store }).get()])
    expect(new Set(ids).size).toBe(1)
  })

  it('[DEV-2] is the same for two tabs, and for two processes', async () => {
    const origin = createFakeOrigin()
    const clock = createSystemClock()
    for (const locks of [origin.locks, undefined]) {
      const fresh = locks === undefined ? createFakeOrigin() : origin
      const tab = () => createWebStore({ ...fresh.openTab(), locks, clock, settleMs: 5 })
      const ids = await Promise.all([1, 2, 3].map(() => createDeviceId({ store: tab() }).get()))
      expect(new Set(ids).size).toBe(1)
    }
    const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
    const store = () => createDatabaseStore(createSqliteDatabase(join(directory, 'app.db')))
    const ids = await Promise.all([1, 2, 3].map(() => createDeviceId({ store: store() }).get()))
    expect(new Set(ids).size).toBe(1)
    await rm(directory, { recursive: true })
  })

  it('[DEV-3] can be reset', async () => {
    const store = createMemoryStore()
    const deviceId = createDeviceId({ store })
    const before = await deviceId.get()
    const after = await deviceId.reset()
    expect(after).toMatch(version4)
    expect(after).not.toBe(before)
    expect(await deviceId.get()).toBe(after)
    expect(await createDeviceId({ store }).get()).toBe(after)
  })

  it('[DEV-4] replaces what is no UUID, and raises one in lower case', async () => {
    const lower = '0b0c0d0e-0000-4000-8000-00000000abcd'
    const made = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/
    for (const [kept, id] of [
      ['nonsense', made],
      ['', made],
      [lower, new RegExp(`^${lower.toUpperCase()}$`)],
    ] as const) {
      const store = createMemoryStore()
      await store.set('device-id', kept)
      expect(await createDeviceId({ store }).get()).toMatch(id)
    }
  })

  it('[DEV-5] lasts as long as the process where the store fails', async () => {
    const full = () => Promise.reject(new Error('full'))
    const store = createResilientStore({ ...createMemoryStore(), set: full, update: full })
    const id = await createDeviceId({ store }).get()
    expect(await createDeviceId({ store }).get()).toBe(id)
  })

  it('[DEV-5] is asked for anew where a store rejected', async () => {
    const inner = createMemoryStore()
    let broken = true
    const store = {
      ...inner,
      update: (...call: Parameters<typeof inner.update>) =>
        broken ? Promise.reject(new Error('broken')) : inner.update(...call),
    }
    const deviceId = createDeviceId({ store })
    await expect(deviceId.get()).rejects.toThrow('broken')
    broken = false
    expect(await deviceId.get()).toMatch(version4)
  })
})
