import { type Clock, createSystemClock, sleep } from '../base/clock.js'
import type { ReportError } from '../base/errors.js'
import { createResilientStore, type ResilientStore } from './resilient.js'
import { scopeStore } from './scope.js'
import { assertKey, type KeyValueStore, promised } from './store.js'

/** The part of `localStorage` or `sessionStorage` that is used. */
export interface WebStorage {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** The part of `navigator.locks` that is used. */
export interface WebLocks {
  request<T>(name: string, run: () => Promise<T>): Promise<T>
}

/** The part of `window` that tells what other tabs write. */
export interface StorageEvents {
  addEventListener(type: 'storage', listener: (event: StorageChange) => void): void
  removeEventListener(type: 'storage', listener: (event: StorageChange) => void): void
}

/** The part of a `StorageEvent` that is used. */
export interface StorageChange {
  readonly key: string | null
  readonly storageArea: unknown
}

/** The parts of a browser that a web store uses. */
export interface WebStoreParts {
  readonly storage: WebStorage
  /** Absent in a page without a secure context. Then two tabs may both succeed in an `update`. */
  readonly locks?: WebLocks | undefined
  readonly events?: StorageEvents | undefined
  readonly clock: Clock
  /** How long an `update` waits until writes of other tabs arrive, in milliseconds. Default 50. */
  readonly settleMs?: number
}

interface BrowserGlobals {
  readonly localStorage?: WebStorage
  readonly navigator?: { readonly locks?: WebLocks }
}

/** Options of {@link createBrowserStore}. */
export interface BrowserStoreOptions {
  /** Separates the keys from those of the page. Default `statewire`. */
  readonly scope?: string
  readonly clock?: Clock
  readonly onError?: ReportError
}

/**
 * Makes a store on the browser's `localStorage`. The tabs of an origin share it, and the values stay
 * until the user clears them. If it is missing, full or forbidden, the store uses memory and calls
 * `onError`.
 */
export function createBrowserStore(options: BrowserStoreOptions = {}): ResilientStore {
  const { scope = 'statewire', clock = createSystemClock(), onError } = options
  const store = scopeStore(createWebStore(createPageParts(clock)), scope)
  return createResilientStore(store, { clock, ...(onError !== undefined && { onError }) })
}

function createPageParts(clock: Clock): WebStoreParts {
  const page = globalThis as BrowserGlobals & Partial<StorageEvents>
  return {
    // Reading the global throws if cookies are blocked. It is read at each operation, so that the
    // exception becomes a failure of that operation.
    get storage() {
      const { localStorage } = page
      if (localStorage === undefined) throw new Error('this browser has no localStorage')
      return localStorage
    },
    get locks() {
      return page.navigator?.locks
    },
    get events() {
      return typeof page.addEventListener === 'function' ? (page as StorageEvents) : undefined
    },
    clock,
  }
}

/** Makes a store of the given parts of a browser. Its methods reject if the storage throws. */
export function createWebStore(parts: WebStoreParts): KeyValueStore {
  const { clock, settleMs = 50 } = parts

  function read(key: string): string | undefined {
    return parts.storage.getItem(key) ?? undefined
  }

  function write(key: string, value: string | undefined): void {
    if (value === undefined) parts.storage.removeItem(key)
    else parts.storage.setItem(key, value)
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
      promised(() => {
        const { storage } = parts
        const all = Array.from({ length: storage.length }, (_, index) => storage.key(index))
        return all.filter((key) => key !== null)
      }),
    async update(key, change) {
      assertKey(key)
      const { locks } = parts
      if (locks === undefined) {
        // Two tabs may both write. After the wait both read the same value.
        await sleep(clock, settleMs)
        write(key, change(read(key)))
        await sleep(clock, settleMs)
        return read(key)
      }
      return await locks.request(`statewire:${key}`, async () => {
        // Tabs in different processes have a copy each. The write of the tab that had the lock
        // before may still be on its way.
        await sleep(clock, settleMs)
        const next = change(read(key))
        write(key, next)
        return next
      })
    },
    watch(changed) {
      const { events, storage } = parts
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
