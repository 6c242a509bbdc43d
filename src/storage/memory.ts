import { assertKey, type KeyValueStore, promised } from './store.js'

/** Makes a store in memory: it lasts as long as the process or the page. */
export function createMemoryStore(): KeyValueStore {
  const values = new Map<string, string>()

  function put(key: string, value: string | undefined): void {
    if (value === undefined) values.delete(key)
    else values.set(key, value)
  }

  return {
    get: (key) => promised(() => values.get(key)),
    set: (key, value) =>
      promised(() => {
        assertKey(key)
        put(key, value)
      }),
    delete: (key) => promised(() => put(key, undefined)),
    keys: () => promised(() => [...values.keys()]),
    update: (key, change) =>
      promised(() => {
        assertKey(key)
        const next = change(values.get(key))
        put(key, next)
        return next
      }),
  }
}
