import type { IndexedDbParts } from '../../src/delivery/store/indexeddb.js'
import { describeOutbox } from '../delivery/store/outbox-compliance.js'
import { createTabs } from '../delivery/store/outbox-tabs.js'

// The platform's own functions have the signatures that the store asks for.
const browser: IndexedDbParts = {
  indexedDB,
  locks: navigator.locks,
  openChannel: (name) => new BroadcastChannel(name),
}

const newName = () => `place ${crypto.randomUUID()}`

describeOutbox('an outbox in Chromium’s IndexedDB', () => createTabs(browser, newName()))

describeOutbox('an outbox in Chromium’s IndexedDB, without Web Locks', () =>
  createTabs({ ...browser, locks: undefined }, newName()),
)
