import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../../src/base/errors.js'
import { createGuardedOutboxStore } from '../../../src/delivery/store/outbox-guard.js'
import {
  createMemoryOutboxStore,
  type MemoryOutboxHandle,
} from '../../../src/delivery/store/outbox-memory.js'
import type {
  StoredOutcome,
  OutboxStore,
  OwnedOutbox,
} from '../../../src/delivery/store/outbox-store.js'
import { createManualClock } from '../../../src/testing/clock.js'
import { describeOutbox, keptMessage } from './outbox-compliance.js'

const never = new AbortController().signal
const delivered: StoredOutcome = { outcome: 'delivered' }
const hang = <T>(): Promise<T> => new Promise(() => undefined)
const full = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('no room for canary'), { code: 'ENOSPC' }))
const a = keptMessage('a')
const b = keptMessage('b')
const idsOf = (messages: readonly { readonly id: string }[] | undefined) =>
  messages?.map(({ id }) => id)

function guard(overrides: Partial<OutboxStore> = {}, place = createMemoryOutboxStore()) {
  const clock = createManualClock()
  const reports: SyncError[] = []
  const inner = place.open()
  const store = createGuardedOutboxStore(
    { ...inner, ...overrides },
    { clock, onError: (error) => reports.push(error) },
  )
  return { clock, reports, inner, place, store }
}

/** An ownership some of whose methods fail from a moment on. */
function failingOwnership(handle: OutboxStore) {
  const failing: { write?: OwnedOutbox['write']; release?: OwnedOutbox['release'] } = {}
  return {
    failing,
    acquire: async (signal: AbortSignal): Promise<OwnedOutbox> => {
      const owned = await handle.acquire(signal)
      return {
        ...owned,
        write: (change) => (failing.write ?? owned.write)(change),
        release: () => (failing.release ?? owned.release)(),
      }
    },
  }
}

// What the client sees must mean the same as what the storage offers.
describeOutbox('a guarded outbox', () => {
  const place = createMemoryOutboxStore()
  const handles = new Map<OutboxStore, MemoryOutboxHandle>()
  const handleOf = (store: OutboxStore): MemoryOutboxHandle => handles.get(store)!
  return {
    open() {
      const inner = place.open()
      const guarded = createGuardedOutboxStore(inner, { clock: createManualClock() })
      const store: OutboxStore = {
        ready: () => inner.ready(),
        async add(messages) {
          if (!(await guarded.add(messages)).durable) throw new Error('not durable')
        },
        async acquire(signal) {
          const owned = await guarded.acquire(signal)
          if (owned === undefined) throw Object.assign(new Error('over'), { name: 'AbortError' })
          return {
            ...owned,
            async write(change) {
              if ((await owned.write(change)) === 'lost') throw new Error('lost')
            },
          }
        },
        watch: (watcher) => guarded.watch(watcher),
        close: () => guarded.close(),
      }
      handles.set(store, inner)
      return store
    },
    crash: (store) => handleOf(store).crash(),
    freeze: (store) => {
      handleOf(store).loseOwnership()
      return () => undefined
    },
    passLease: () => undefined,
    leftovers: () => [],
  }
})

it('[KEEP-8] hands over what was added before it was closed, whatever the storage is at', async () => {
  let opened!: () => void
  const ready = new Promise<void>((resolve) => (opened = resolve))
  const asked: string[] = []
  const { store } = guard({
    ready: () => ready,
    add(messages) {
      asked.push(...messages.map(({ id }) => `add ${id}`))
      return Promise.resolve()
    },
    close() {
      asked.push('close')
      return Promise.resolve()
    },
  })
  const first = store.add([a])
  opened()
  await first
  // Open by now, and asked in the same breath.
  const second = store.add([b])
  await store.close()
  expect(await second).toEqual({ durable: true })
  expect(asked).toEqual(['add a', 'add b', 'close'])
})

it('[KEEP-8] waits with closing for a storage that opens', async () => {
  let opened!: () => void
  const ready = new Promise<void>((resolve) => (opened = resolve))
  const { store, inner, place } = guard({ ready: () => ready })
  const added = store.add([a])
  const closed = store.close()
  opened()
  await closed
  expect(await added).toEqual({ durable: true })
  await inner.close()
  const next = await place.open().acquire(never)
  expect(idsOf(next.messages)).toEqual(['a'])
})

describe('storage that never answers', () => {
  it('[KEEP-20] is waited for 3 s, once; then memory is owned at once', async () => {
    const { store, clock, reports } = guard({ ready: hang, add: hang, acquire: hang, close: hang })
    const added = store.add([a])
    const acquired = store.acquire(never)
    await clock.advanceAsync(2_999)
    expect(store.isDurable).toBe(true)
    await clock.advanceAsync(1)
    expect(await added).toEqual({ durable: false })
    const owned = await acquired
    expect(owned).toMatchObject({ identity: undefined, messages: [a] })
    expect(owned?.fence).toBeGreaterThan(0)
    expect(await store.add([b])).toEqual({ durable: false })
    expect(await owned?.write({ identity: { cid: 'x' } })).toBe('done')
    expect(store.isDurable).toBe(false)
    expect(reports).toHaveLength(1)
    expect(reports[0]?.code).toBe('storage-failed')
    const closed = store.close()
    await clock.advanceAsync(3_000)
    await closed
    expect(clock.pending.count).toBe(0)
  })

  const kinds: [string, Partial<OutboxStore>][] = [
    ['ready rejects', { ready: full }],
    ['acquire rejects', { acquire: full }],
    ['acquire gives nothing', { acquire: () => Promise.resolve(undefined as never) }],
    [
      'acquire throws',
      {
        acquire: () => {
          throw new TypeError('canary')
        },
      },
    ],
    [
      'watch throws',
      {
        watch: () => {
          throw new TypeError('canary')
        },
      },
    ],
  ]
  for (const [what, overrides] of kinds) {
    it(`[KEEP-20] [KEEP-21] nor does it have to: ${what}`, async () => {
      const { store, reports, clock } = guard(overrides)
      await store.add([a])
      const owned = await store.acquire(never)
      expect(owned?.messages).toEqual([a])
      expect(store.isDurable).toBe(false)
      expect(reports.map(({ code }) => code)).toEqual(['storage-failed'])
      const [report] = reports
      expect(JSON.stringify([report?.message, report?.cause])).not.toContain('canary')
      await store.close()
      expect(clock.pending.count).toBe(0)
    })
  }

  it('[KEEP-20] is told from another owner, who may take all the time there is', async () => {
    const { store, clock, reports, place } = guard()
    const other = await place.open().acquire(never)
    const acquired = store.acquire(never)
    await clock.advanceAsync(600_000)
    expect(reports).toEqual([])
    expect(store.isDurable).toBe(true)
    await other.release()
    expect((await acquired)?.fence).toBe(2)
    expect(clock.pending.count).toBe(0)
  })

  it('[KEEP-20] is found out while another owner is waited for', async () => {
    let isStuck = false
    const place = createMemoryOutboxStore()
    const inner = place.open()
    const { store, clock, reports } = guard(
      { ...inner, ready: () => (isStuck ? hang() : inner.ready()) },
      place,
    )
    await place.open().acquire(never)
    const acquired = store.acquire(never)
    await store.add([a])
    await clock.advanceAsync(60_000)
    isStuck = true
    await store.add([b])
    await clock.advanceAsync(6_000)
    // What is stored is the other owner's to send.
    expect((await acquired)?.messages).toEqual([])
    expect(reports[0]?.message).toContain('hangs (ready)')
  })
})

describe('storage that fails later', () => {
  it('[KEEP-21] the owner goes on in memory, with everything it had', async () => {
    const { store, inner, reports, place } = guard()
    const failing = failingOwnership(inner)
    const guarded = createGuardedOutboxStore(
      { ...inner, acquire: failing.acquire },
      { clock: createManualClock(), onError: (error) => reports.push(error) },
    )
    await inner.add([a])
    const owned = await guarded.acquire(never)
    expect(await owned?.write({ identity: { cid: 'x' }, put: [b] })).toBe('done')
    expect(guarded.isDurable).toBe(true)
    const written: unknown[] = []
    failing.failing.write = (change) => {
      written.push(change)
      return full()
    }
    const numbered = keptMessage('a', { sent: { n: 1, epoch: 'e' } })
    expect(await owned?.write({ put: [numbered, keptMessage('c')] })).toBe('done')
    expect(guarded.isDurable).toBe(false)
    expect(reports).toHaveLength(1)
    expect(reports[0]?.message).toContain('Error ENOSPC')
    // Others still find the storage, and this owner hears of it.
    const heard: string[] = []
    guarded.watch({
      added: (messages) => heard.push(...messages.map(({ id }) => id)),
      removed: () => undefined,
    })
    await place.open().add([keptMessage('d')])
    await Promise.resolve()
    expect(heard).toEqual(['d'])
    expect(await guarded.add([keptMessage('e')])).toEqual({ durable: false })
    expect(owned?.lost.aborted).toBe(false)
    // Settled messages are still handed on, so that the next run does not send it again.
    written.length = 0
    const over = ['a', 'c'].map((id) => ({ id, outcome: delivered }))
    expect(await owned?.write({ remove: over })).toBe('done')
    await Promise.resolve()
    expect(written).toEqual([{ remove: [{ id: 'a', outcome: delivered }] }])
    // Given up, what is stored is for the next owner; here stays what is nowhere else.
    await owned?.release()
    expect(await owned?.write({})).toBe('lost')
    const again = await guarded.acquire(never)
    expect(idsOf(again?.messages)).toEqual(['e'])
    expect(again?.identity).toBeUndefined()
    expect(again?.fence).toBeGreaterThan(owned?.fence ?? 0)
    expect(reports).toHaveLength(1)
    await store.close()
  })

  it('[KEEP-24] does not take a sleep for a storage that hangs', async () => {
    let answer: () => void = () => undefined
    const { store, clock, reports } = guard({
      add: () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    })
    const added = store.add([a])
    await clock.advanceAsync(0)
    clock.jump(60_000)
    await clock.advanceAsync(9_000)
    expect([store.isDurable, reports]).toEqual([true, []])
    answer()
    expect(await added).toEqual({ durable: true })
    // A storage that hangs is found out all the same.
    const lost = store.add([b])
    await clock.advanceAsync(0)
    clock.jump(60_000)
    await clock.advanceAsync(10_000)
    expect(await lost).toEqual({ durable: false })
  })

  it('[KEEP-21] a write that hangs is given 10 s', async () => {
    const place = createMemoryOutboxStore()
    const failing = failingOwnership(place.open())
    const { store, clock } = guard({ acquire: failing.acquire }, place)
    const owned = await store.acquire(never)
    failing.failing.write = hang
    const written = owned?.write({ put: [a] })
    await clock.advanceAsync(9_999)
    expect(store.isDurable).toBe(true)
    await clock.advanceAsync(1)
    expect(await written).toBe('done')
    expect(store.isDurable).toBe(false)
  })

  it('[KEEP-21] an owner in memory that loses ownership keeps the messages that only it has', async () => {
    const { store, inner } = guard()
    const owned = await store.acquire(never)
    await owned?.write({ identity: { cid: 'x' }, put: [a] })
    inner.add = full
    const { store: failing, inner: handle } = guard({ add: full })
    const first = await failing.acquire(never)
    await first?.write({ identity: { cid: 'x' }, put: [a] })
    expect(await failing.add([b])).toEqual({ durable: false })
    expect(first?.lost.aborted).toBe(false)
    handle.loseOwnership()
    expect(first?.lost.aborted).toBe(true)
    expect(await first?.write({})).toBe('lost')
    expect(await failing.acquire(never)).toMatchObject({ identity: undefined, messages: [b] })
  })

  it('[KEEP-21] a standby owns what it added, unless another owner of the store is known', async () => {
    for (const isKnown of [false, true]) {
      const place = createMemoryOutboxStore()
      let isFull = false
      const inner = place.open()
      const { store, clock } = guard(
        { add: (messages) => (isFull ? full() : inner.add(messages)) },
        place,
      )
      await place.open().acquire(never)
      const acquired = store.acquire(never)
      await store.add([a])
      await clock.advanceAsync(isKnown ? 3_000 : 2_999)
      isFull = true
      expect(await store.add([b])).toEqual({ durable: false })
      expect((await acquired)?.messages).toEqual(isKnown ? [b] : [a, b])
    }
  })

  it('[KEEP-21] what others settled is settled in memory too', async () => {
    const place = createMemoryOutboxStore()
    const { store } = guard({ acquire: full }, place)
    const heard: string[] = []
    const stop = store.watch({
      added: () => undefined,
      removed: (id) => heard.push(id),
    })
    await store.add([a, b])
    const other = await place.open().acquire(never)
    await other.write({ remove: [{ id: 'a', outcome: delivered }] })
    expect((await store.acquire(never))?.messages).toEqual([b])
    expect(heard).toEqual(['a'])
    stop()
    await other.write({ remove: [{ id: 'b', outcome: delivered }] })
    expect(heard).toEqual(['a'])
  })

  it('[KEEP-21] a release that fails is a failure of the storage', async () => {
    const place = createMemoryOutboxStore()
    const failing = failingOwnership(place.open())
    const { store, reports } = guard({ acquire: failing.acquire }, place)
    const owned = await store.acquire(never)
    await owned?.write({ put: [a] })
    failing.failing.release = full
    await owned?.release()
    await owned?.release()
    expect(reports).toHaveLength(1)
    expect((await store.acquire(never))?.messages).toEqual([a])
  })
})

describe('a guarded outbox', () => {
  it('[KEEP-22] tells a lost outbox from storage that fails', async () => {
    const { store, inner, reports } = guard()
    const owned = await store.acquire(never)
    await owned?.write({ put: [a] })
    const late = owned?.write({ put: [b] })
    inner.loseOwnership()
    expect(await late).toBe('lost')
    expect(owned?.lost.aborted).toBe(true)
    expect(reports).toEqual([])
    // Nothing was changed by what was lost.
    expect((await store.acquire(never))?.messages).toEqual([a])
    expect(store.isDurable).toBe(true)
  })

  it('[KEEP-22] stops waiting when it is told to, and wants nothing of what comes later', async () => {
    let grant: (owned: OwnedOutbox) => void = () => undefined
    const place = createMemoryOutboxStore()
    const { store, clock } = guard(
      { acquire: () => new Promise((resolve) => (grant = resolve)) },
      place,
    )
    const controller = new AbortController()
    const acquired = store.acquire(controller.signal)
    await clock.advanceAsync(10)
    controller.abort()
    expect(await acquired).toBeUndefined()
    expect(await store.acquire(controller.signal)).toBeUndefined()
    const other = place.open()
    grant(await other.acquire(never))
    // It was released at once.
    await place.open().acquire(never)
    await store.close()
    expect(clock.pending.count).toBe(0)
  })

  it('[KEEP-22] in memory too, has one owner at a time', async () => {
    const { store } = guard({ ready: full })
    const first = await store.acquire(never)
    const controller = new AbortController()
    const given = store.acquire(controller.signal)
    const second = store.acquire(never)
    controller.abort()
    expect(await given).toBeUndefined()
    await first?.write({ identity: { cid: 'x' }, put: [a] })
    await first?.release()
    expect(await second).toMatchObject({ identity: { cid: 'x' }, messages: [a] })
    const waiting = store.acquire(never)
    await store.close()
    expect(await waiting).toBeUndefined()
    expect(await (await second)?.write({})).toBe('lost')
    expect(await store.add([b])).toEqual({ durable: false })
    await store.close()
  })
})
