import { type Clock, createSystemClock } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import { createResilientStore, type ResilientStore } from './resilient.js'
import { scopeStore } from './scope.js'
import { assertKey, type KeyValueStore, promised } from './store.js'

/** What is used of `localStorage`, or of `sessionStorage`. */
export interface WebStorage {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** What is used of `navigator.locks`. */
export interface WebLocks {
  request<T>(name: string, run: () => Promise<T>): Promise<T>
}

/** What is used of `window` to hear what other tabs write. */
export interface StorageEvents {
  addEventListener(type: 'storage', listener: (event: StorageChange) => void): void
  removeEventListener(type: 'storage', listener: (event: StorageChange) => void): void
}

/** What is used of a `StorageEvent`. */
export interface StorageChange {
  readonly key: string | null
  readonly storageArea: unknown
}

/** The parts of a browser that a web store is made of. */
export interface WebStoreParts {
  readonly storage: WebStorage
  /** Absent in pages without a secure context; two tabs may then both win an `update`. */
  readonly locks?: WebLocks | undefined
  readonly events?: StorageEvents | undefined
  readonly clock: Clock
  /** How long an `update` waits for other tabs' writes to arrive, in milliseconds. Default 50. */
  readonly settleMs?: number
}

interface BrowserGlobals {
  readonly localStorage?: WebStorage
  readonly navigator?: { readonly locks?: WebLocks }
  readonly addEventListener?: unknown
}

/** Options of {@link createBrowserStore}. */
export interface BrowserStoreOptions {
  /** Sets the keys apart from the page's own. Default `statewire`. */
  readonly scope?: string
  readonly clock?: Clock
  readonly onError?: ReportError
}

/**
 * Makes a store on the browser's `localStorage`: shared by the tabs of an origin, and kept until
 * the user clears it. Where there is none, or it is full or forbidden, memory stands in for it
 * and `onError` is told.
 */
export function createBrowserStore(options: BrowserStoreOptions = {}): ResilientStore {
  const { scope = 'statewire', clock = createSystemClock(), onError } = options
  const store = scopeStore(createLateStore(clock), scope)
  return createResilientStore(store, { clock, ...(onError !== undefined && { onError }) })
}

// Reading `localStorage` throws where cookies are blocked; asked at each use, so that it does so
// where a throw is expected.
function createLateStore(clock: Clock): KeyValueStore {
  const globals = globalThis as BrowserGlobals
  function open(): KeyValueStore {
    const { localStorage, navigator } = globals
    if (localStorage === undefined) throw new Error('there is no localStorage')
    const events =
      typeof globals.addEventListener === 'function'
        ? (globalThis as unknown as StorageEvents)
        : undefined
    return createWebStore({ storage: localStorage, locks: navigator?.locks, events, clock })
  }
  return {
    get: (key) => promised(() => open().get(key)),
    set: (key, value) => promised(() => open().set(key, value)),
    delete: (key) => promised(() => open().delete(key)),
    keys: () => promised(() => open().keys()),
    update: (key, change) => promised(() => open().update(key, change)),
    watch: (changed) => open().watch?.(changed) ?? (() => undefined),
  }
}

/** Makes a store of the given parts of a browser. Its methods reject when the storage throws. */
export function createWebStore(parts: WebStoreParts): KeyValueStore {
  const { storage, locks, events, clock, settleMs = 50 } = parts

  function read(key: string): string | undefined {
    return storage.getItem(key) ?? undefined
  }

  function write(key: string, value: string | undefined): void {
    if (value === undefined) storage.removeItem(key)
    else storage.setItem(key, value)
  }

  function settle(): Promise<void> {
    return new Promise((resolve) => {
      clock.setTimeout(resolve, settleMs)
    })
  }

  return {
    get: (key) => promised(() => read(key)),
    set: (key, value) =>
      promised(() => {
        assertKey(key)
        write(key, value)
      }),
    delete: (key) => promised(() => write(key, undefined)),
    keys: () =>
      promised(() =>
        Array.from({ length: storage.length }, (_, index) => storage.key(index)).filter(
          (key) => key !== null,
        ),
      ),
    async update(key, change) {
      assertKey(key)
      if (locks === undefined) {
        // Two tabs may both write; once their writes have crossed, both read what stands.
        await settle()
        write(key, change(read(key)))
        await settle()
        return read(key)
      }
      return await locks.request(`statewire:${key}`, async () => {
        // Tabs in different processes have a copy each, and the write of the tab that had the
        // lock before us is on its way while the lock already is ours.
        await settle()
        const next = change(read(key))
        write(key, next)
        return next
      })
    },
    watch(changed) {
      function hear(event: StorageChange): void {
        if (event.storageArea === storage) changed(event.key ?? undefined)
      }
      events?.addEventListener('storage', hear)
      return () => {
        events?.removeEventListener('storage', hear)
      }
    },
  }
}
