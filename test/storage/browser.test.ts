import { afterEach, describe, expect, it, vi } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { createBrowserStore, createWebStore } from '../../src/storage/browser.js'
import { scopeStore } from '../../src/storage/scope.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeOrigin } from './fake-browser.js'

describe('web storage', () => {
  it('[STOR-8] tells what other tabs change, and nothing after it was told to stop', async () => {
    const origin = createFakeOrigin()
    const clock = createManualClock()
    const [mine, theirs] = [origin.openTab(), origin.openTab()]
    const store = scopeStore(createWebStore({ ...mine, locks: origin.locks, clock }), 'app')
    const other = scopeStore(createWebStore({ ...theirs, locks: origin.locks, clock }), 'app')
    const heard: (string | undefined)[] = []
    const stop = store.watch?.((key) => heard.push(key))
    await other.set('a', '1')
    await store.set('b', '2')
    theirs.storage.setItem('elsewhere', '3')
    await other.delete('a')
    expect(heard).toEqual(['a', 'a'])
    stop?.()
    await other.set('a', '4')
    expect(heard).toEqual(['a', 'a'])
  })

  it('[STOR-4] without locks two tabs that write at once agree on what stands', async () => {
    const origin = createFakeOrigin()
    const clock = createManualClock()
    const open = () => createWebStore({ ...origin.openTab(), clock })
    const [first, second] = [open(), open()]
    const both = Promise.all([
      first.update('id', (c) => c ?? 'A'),
      second.update('id', (c) => c ?? 'B'),
    ])
    await clock.advanceAsync(100)
    const [a, b] = await both
    expect(a).toBe(b)
    expect(a).toBe(await first.get('id'))
  })
})

describe('createBrowserStore', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('[STOR-9] keeps its keys apart from the page’s own', async () => {
    const { storage } = createFakeOrigin().openTab()
    vi.stubGlobal('localStorage', storage)
    const store = createBrowserStore()
    await store.set('a', '1')
    expect(storage.getItem('statewire/a')).toBe('1')
    expect(store.isDurable).toBe(true)
  })

  it('[STOR-9] uses memory where localStorage is missing, forbidden or full', async () => {
    const traps: ((define: (get: () => unknown) => void) => void)[] = [
      (define) => define(() => undefined),
      (define) =>
        define(() => {
          throw new DOMException('denied', 'SecurityError')
        }),
      (define) => define(() => createFakeOrigin({ quota: 0 }).openTab().storage),
    ]
    for (const trap of traps) {
      trap((get) => {
        Object.defineProperty(globalThis, 'localStorage', { configurable: true, get })
      })
      const reports: SyncError[] = []
      const store = createBrowserStore({ onError: (error) => reports.push(error) })
      await store.set('a', '1')
      expect(await store.get('a')).toBe('1')
      expect(store.isDurable).toBe(false)
      expect(reports[0]?.code).toBe('storage-failed')
      store.watch?.(() => undefined)()
      Reflect.deleteProperty(globalThis, 'localStorage')
    }
  })

  it('[STOR-9] uses the page’s locks and hears its other tabs', async () => {
    const origin = createFakeOrigin()
    const [mine, theirs] = [origin.openTab(), origin.openTab()]
    vi.stubGlobal('localStorage', mine.storage)
    vi.stubGlobal('navigator', { locks: origin.locks })
    vi.stubGlobal('addEventListener', mine.events.addEventListener)
    vi.stubGlobal('removeEventListener', mine.events.removeEventListener)
    const clock = createManualClock()
    const store = createBrowserStore({ clock, scope: 'app' })
    const heard: (string | undefined)[] = []
    const stop = store.watch?.((key) => heard.push(key))
    const updated = store.update('a', () => '1')
    await clock.advanceAsync(50)
    expect(await updated).toBe('1')
    theirs.storage.setItem('app/a', '2')
    expect(await store.get('a')).toBe('2')
    await store.set('b', '3')
    expect(await store.keys()).toEqual(['a', 'b'])
    await store.delete('a')
    expect(await store.keys()).toEqual(['b'])
    stop?.()
    theirs.storage.setItem('app/a', '4')
    expect(heard).toEqual(['a'])
    expect(store.isDurable).toBe(true)
  })
})
