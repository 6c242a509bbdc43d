import type {
  StorageChange,
  StorageEvents,
  WebLocks,
  WebStorage,
} from '../../src/storage/browser.js'

/** What one tab has: its own `localStorage` object, and the events of the others' writes. */
export interface FakeTab {
  readonly storage: WebStorage
  readonly events: StorageEvents
}

/** An origin of a browser: what its tabs share. */
export interface FakeOrigin {
  readonly locks: WebLocks
  openTab(): FakeTab
}

/** Makes a browser's storage: one set of values, events to every tab but the one that wrote. */
export function createFakeOrigin({ quota = Number.POSITIVE_INFINITY } = {}): FakeOrigin {
  const values = new Map<string, string>()
  const tabs = new Map<WebStorage, Set<(event: StorageChange) => void>>()
  const queues = new Map<string, Promise<unknown>>()

  function tell(writer: WebStorage, key: string): void {
    for (const [storage, listeners] of tabs) {
      if (storage === writer) continue
      for (const listener of listeners) listener({ key, storageArea: storage })
    }
  }

  return {
    locks: {
      request(name, run) {
        const turn = (queues.get(name) ?? Promise.resolve()).then(run)
        queues.set(
          name,
          turn.catch(() => undefined),
        )
        return turn
      },
    },
    openTab() {
      const storage: WebStorage = {
        get length() {
          return values.size
        },
        key: (index) => [...values.keys()][index] ?? null,
        getItem: (key) => values.get(key) ?? null,
        setItem(key, value) {
          if (value.length > quota) throw new DOMException('full', 'QuotaExceededError')
          if (values.get(key) === value) return
          values.set(key, value)
          tell(storage, key)
        },
        removeItem(key) {
          if (values.delete(key)) tell(storage, key)
        },
      }
      const listeners = new Set<(event: StorageChange) => void>()
      tabs.set(storage, listeners)
      return {
        storage,
        events: {
          addEventListener: (_, listener) => listeners.add(listener),
          removeEventListener: (_, listener) => listeners.delete(listener),
        },
      }
    },
  }
}
