import {
  createIndexedDbOutboxStore,
  type IndexedDbParts,
} from '../../../src/delivery/store/indexeddb.js'
import type { OutboxStore } from '../../../src/delivery/store/outbox-store.js'
import { settle } from '../../compliance/real-time.js'
import type { OutboxPlace } from './outbox-compliance.js'
import { createTab, type OutboxTab } from './outbox-tab.js'

export const leaseMs = 9_000

/** A place for the compliance suite: a browser, in which each handle has a tab of its own. */
export function createTabs(browser: IndexedDbParts, name: string): OutboxPlace {
  const tabs = new Map<OutboxStore, OutboxTab>()

  // A third of a lease at a time, so that answers arrive while there is time.
  async function pass(): Promise<void> {
    for (let step = 0; step < 5; step += 1) {
      await Promise.all(
        [...tabs.values()]
          .filter(({ isAwake }) => isAwake)
          .map(({ clock }) => clock.advanceAsync(leaseMs / 3)),
      )
      await settle()
    }
  }

  return {
    open() {
      const tab = createTab(browser)
      const store = createIndexedDbOutboxStore({
        name,
        leaseMs,
        clock: tab.clock,
        parts: tab.parts,
      })
      tabs.set(store, tab)
      return store
    },
    crash: (store) => tabs.get(store)?.crash(),
    freeze: (store) => tabs.get(store)?.freeze() ?? (() => undefined),
    passLease: pass,
    leftovers: async () => {
      await settle()
      return [...tabs.values()].flatMap(({ leftovers }) => leftovers)
    },
  }
}
