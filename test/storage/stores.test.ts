import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSystemClock } from '../../src/base/clock.js'
import { createWebStore } from '../../src/storage/browser.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createFileStore } from '../../src/storage/node.js'
import { createResilientStore } from '../../src/storage/resilient.js'
import { scopeStore } from '../../src/storage/scope.js'
import { describeStore } from './compliance.js'
import { createFakeOrigin } from './fake-browser.js'

const clock = createSystemClock()

describeStore('memory', () => {
  const store = createMemoryStore()
  return { first: store, second: store }
})

describeStore('resilient', () => {
  const store = createMemoryStore()
  return { first: createResilientStore(store), second: store }
})

describeStore('web storage', () => {
  const origin = createFakeOrigin()
  const open = () =>
    createWebStore({ ...origin.openTab(), locks: origin.locks, clock, settleMs: 0 })
  return { first: open(), second: open() }
})

describeStore('files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
  return {
    first: createFileStore({ directory }),
    second: createFileStore({ directory }),
    close: () => rm(directory, { recursive: true }),
  }
})

describeStore('a scope', () => {
  const store = createMemoryStore()
  // Its own name takes part of what a key may be long: `s`, and `/`, which counts three.
  return { first: scopeStore(store, 's'), second: scopeStore(store, 's'), longestKey: 236 }
})
