import { createIndexedDbDatabase, type IndexedDbParts } from '../../src/database/indexeddb.js'
import { describeDatabase } from '../database/compliance.js'

// The platform's own functions have the signatures that the database asks for.
const browser: IndexedDbParts = {
  indexedDB,
  locks: navigator.locks,
  openChannel: (name) => new BroadcastChannel(name),
}
const POLL_MS = 50

function prepare(parts: IndexedDbParts) {
  const name = `rows ${crypto.randomUUID()}`
  return {
    tellsAtEachPoll: true,
    open: () => createIndexedDbDatabase({ name, pollMs: POLL_MS, parts }),
    poll: () => new Promise<void>((resolve) => setTimeout(resolve, 4 * POLL_MS)),
    close: () => Promise.resolve(indexedDB.deleteDatabase(name)).then(() => undefined),
  }
}

describeDatabase('a database in Chromium’s IndexedDB', () => prepare(browser))

describeDatabase('a database in Chromium’s IndexedDB, without Web Locks', () =>
  prepare({ ...browser, locks: undefined }),
)
