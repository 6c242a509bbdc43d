import { assertKey, type KeyValueStore, promised } from './store.js'

/**
 * Makes a store of a part of another store. The key `k` of the part is `scope/k` in the other store,
 * and the part has no other keys. A scope can be inside another scope.
 *
 * @example
 * const staging = scopeStore(store, 'staging')
 * await staging.set('session', text) // 'staging/session' in `store`
 */
export function scopeStore(store: KeyValueStore, scope: string): KeyValueStore {
  const prefix = `${scope}/`
  // An empty key is invalid, but `scope/` would be a valid key.
  function prefixed(key: string): string {
    assertKey(key)
    return prefix + key
  }
  const scoped: KeyValueStore = {
    get: (key) => store.get(prefix + key),
    set: (key, value) => promised(() => store.set(prefixed(key), value)),
    delete: (key) => store.delete(prefix + key),
    async keys() {
      const all = await store.keys()
      return all.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length))
    },
    update: (key, change) => promised(() => store.update(prefixed(key), change)),
  }
  if (store.watch === undefined) return scoped
  const watch = store.watch.bind(store)
  return {
    ...scoped,
    watch: (changed) =>
      watch((key) => {
        if (key === undefined) changed(undefined)
        else if (key.startsWith(prefix)) changed(key.slice(prefix.length))
      }),
  }
}
