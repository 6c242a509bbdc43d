import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type {
  StoredMessage,
  StoredOutcome,
  OutboxStore,
  OutboxWatcher,
  OwnedOutbox,
} from '../../../src/delivery/store/outbox-store.js'
import { until } from '../../compliance/real-time.js'

/** One kind of place, on which the suite opens handles as tabs or processes do. */
export interface OutboxPlace {
  open(): OutboxStore
  /** What became of a handle's tab or process: killed, without a word. */
  crash(store: OutboxStore): void | Promise<void>
  /** It does not answer any more, until the function that is given lets it go on. */
  freeze(store: OutboxStore): (() => void) | Promise<() => void>
  /** Lets as much time pass as others wait for an owner that does not answer, or longer. */
  passLease(): void | Promise<void>
  /** What handles that were closed have left behind: timers, locks, listeners. */
  leftovers(): readonly string[] | Promise<readonly string[]>
  close?(): void | Promise<void>
}

const never = new AbortController().signal
const delivered: StoredOutcome = { outcome: 'delivered', mayBeTwice: false }

/** A message as a client persists it. */
export function keptMessage(id: string, more: Partial<StoredMessage> = {}): StoredMessage {
  return { id, type: 'SAY', payload: { text: id }, acceptedAt: 1_000, priority: 0, ...more }
}

/** Writes down what a handle is told. */
export function record(store: OutboxStore) {
  const added: string[] = []
  const removed: [string, StoredOutcome][] = []
  const watcher: OutboxWatcher = {
    added: (messages) => added.push(...messages.map(({ id }) => id)),
    removed: (id, outcome) => removed.push([id, outcome]),
  }
  return { added, removed, stop: store.watch(watcher) }
}

/** What every place must do, whatever it is made of. */
export function describeOutbox(kind: string, make: () => OutboxPlace | Promise<OutboxPlace>) {
  describe(kind, () => {
    let place: OutboxPlace
    let open: () => OutboxStore
    const stores = new Set<OutboxStore>()
    beforeEach(async () => {
      place = await make()
      open = () => {
        const store = place.open()
        stores.add(store)
        return store
      }
    })
    afterEach(async () => {
      await Promise.all([...stores].map((store) => store.close()))
      stores.clear()
      await place.close?.()
    })

    async function crash(store: OutboxStore): Promise<void> {
      stores.delete(store)
      await place.crash(store)
    }

    /** Opens a handle that owns the outbox, however long that takes. */
    async function own(store = open()) {
      const acquired = store.acquire(never)
      const isOwned = settled(acquired)
      // Time passes only where somebody must be found out to be gone.
      for (let round = 0; round < 5 && !(await isOwned()); round += 1) await place.passLease()
      return { store, owned: await acquired }
    }

    const kept = async () => {
      const { store, owned } = await own()
      await store.close()
      return owned
    }

    it('[KEEP-1] answers, whoever owns the outbox', async () => {
      await open().ready()
      const { store } = await own()
      await open().ready()
      await store.ready()
    })

    it('[KEEP-1] has no identity and no messages before it is used', async () => {
      const { owned } = await own()
      expect(owned.identity).toBeUndefined()
      expect(owned.messages).toEqual([])
      expect(owned.lost.aborted).toBe(false)
    })

    it('[KEEP-2] gives what was added, as it was and in order, to whoever owns it then', async () => {
      const store = open()
      const full = keptMessage('c', {
        payload: { nested: [1, null, 'é\u0000', { deep: true }] },
        expiresAt: 5,
        priority: -2,
        key: 'k',
        sent: { n: 3, epoch: 'e' },
      })
      const { payload: _, ...bare } = keptMessage('d')
      await store.add([keptMessage('a'), keptMessage('b')])
      await Promise.all([store.add([full]), store.add([bare]), store.add([])])
      await store.close()
      expect((await kept()).messages).toEqual([keptMessage('a'), keptMessage('b'), full, bare])
    })

    it('[KEEP-2] keeps the order of calls that did not wait for each other', async () => {
      const store = open()
      const ids = Array.from({ length: 40 }, (_, at) => String(at))
      await Promise.all(ids.map((id) => store.add([keptMessage(id)])))
      await store.close()
      expect((await kept()).messages.map(({ id }) => id)).toEqual(ids)
    })

    it('[KEEP-2] has what was resolved after a crash', async () => {
      const adder = open()
      await adder.add([keptMessage('a')])
      await crash(adder)
      const { store, owned } = await own()
      await owned.write({ identity: { cid: 'c' }, put: [keptMessage('b')] })
      await crash(store)
      const next = (await own()).owned
      expect(next.messages).toEqual([keptMessage('a'), keptMessage('b')])
      expect(next.identity).toEqual({ cid: 'c' })
    })

    it('[KEEP-3] puts changed messages in their old place, and new ones at the end', async () => {
      const { store, owned } = await own()
      await store.add([keptMessage('a'), keptMessage('b')])
      await owned.write({ put: [keptMessage('c')] })
      const numbered = keptMessage('a', { sent: { n: 1, epoch: 'e' } })
      await owned.write({ put: [keptMessage('d'), numbered] })
      await store.close()
      expect((await kept()).messages).toEqual([
        numbered,
        ...['b', 'c', 'd'].map((id) => keptMessage(id)),
      ])
    })

    it('[KEEP-3] removes, and makes all of a change in the order of the calls', async () => {
      const { store, owned } = await own()
      await store.add(['a', 'b', 'c'].map((id) => keptMessage(id)))
      await Promise.all([
        owned.write({ put: [keptMessage('b', { key: 'first' }), keptMessage('d')] }),
        owned.write({
          identity: { cid: 'x', epoch: 'e' },
          put: [keptMessage('e')],
          remove: [
            { id: 'a', outcome: delivered },
            { id: 'd', outcome: delivered },
            { id: 'never there', outcome: delivered },
          ],
        }),
        owned.write({ put: [keptMessage('b', { key: 'second' })] }),
        owned.write({}),
      ])
      await store.close()
      const { messages, identity } = await kept()
      expect(messages).toEqual([
        keptMessage('b', { key: 'second' }),
        keptMessage('c'),
        keptMessage('e'),
      ])
      expect(identity).toEqual({ cid: 'x', epoch: 'e' })
    })

    it('[KEEP-3] keeps the identity where a change has none', async () => {
      const { store, owned } = await own()
      await owned.write({ identity: { cid: 'x', epoch: 'e' } })
      await owned.write({ put: [keptMessage('a')] })
      await store.close()
      expect((await kept()).identity).toEqual({ cid: 'x', epoch: 'e' })
    })

    it('[KEEP-4] has one owner at a time, with a fence larger than any before', async () => {
      const { owned } = await own()
      const second = open()
      const waiting = second.acquire(never)
      const isGranted = settled(waiting)
      expect(await isGranted()).toBe(false)
      await owned.release()
      const next = await waiting
      expect(next.fence).toBeGreaterThan(owned.fence)
      await second.close()
      expect((await own()).owned.fence).toBeGreaterThan(next.fence)
      expect(next.lost.aborted).toBe(false)
    })

    it('[KEEP-4] a healthy owner is left alone, however long others wait', async () => {
      const { owned } = await own()
      const isGranted = settled(
        open()
          .acquire(never)
          .catch(() => undefined),
      )
      for (let round = 0; round < 3; round += 1) await place.passLease()
      expect(await isGranted()).toBe(false)
      await owned.write({ put: [keptMessage('a')] })
      expect(owned.lost.aborted).toBe(false)
    })

    it('[KEEP-4] gives the outbox to one of several, and then to the next', async () => {
      const { store } = await own()
      const stores = [open(), open(), open()]
      const fences: number[] = []
      const all = Promise.all(
        stores.map(async (waiter) => {
          const { fence } = await waiter.acquire(never)
          fences.push(fence)
          await waiter.close()
        }),
      )
      await store.close()
      const isDone = settled(all)
      for (let round = 0; round < 8 && !(await isDone()); round += 1) await place.passLease()
      await all
      expect(new Set(fences).size).toBe(3)
      expect(fences).toEqual([...fences].sort((a, b) => a - b))
    })

    it('[KEEP-4] may be owned again by who has released it', async () => {
      const { store, owned } = await own()
      await owned.write({ put: [keptMessage('a')] })
      await owned.release()
      await owned.release()
      await expect(owned.write({ put: [keptMessage('b')] })).rejects.toThrow()
      const again = (await own(store)).owned
      expect(again.fence).toBeGreaterThan(owned.fence)
      expect(again.messages).toEqual([keptMessage('a')])
    })

    it('[KEEP-5] stops waiting when it is told to', async () => {
      const early = AbortSignal.abort()
      await expect(open().acquire(early)).rejects.toMatchObject({ name: 'AbortError' })
      const { store } = await own()
      const controller = new AbortController()
      const second = open()
      const waiting = second.acquire(controller.signal)
      expect(await settled(waiting)()).toBe(false)
      controller.abort()
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
      const third = open().acquire(never)
      await store.close()
      await third
      // Aborted afterwards, it is nobody's business.
      expect(await settled(second.acquire(never).catch(() => undefined))()).toBe(false)
    })

    it('[KEEP-6] passes on when the owner is gone', async () => {
      const { store, owned } = await own()
      await owned.write({ put: [keptMessage('a')] })
      const waiting = own(open())
      await crash(store)
      const next = await waiting
      expect(next.owned.fence).toBeGreaterThan(owned.fence)
      expect(next.owned.messages).toEqual([keptMessage('a')])
    })

    it('[KEEP-6] passes on when the owner does not answer, whose writes then change nothing', async () => {
      const { store, owned } = await own()
      await owned.write({ put: [keptMessage('a')] })
      const thaw = await place.freeze(store)
      const next = await own()
      expect(next.owned.messages).toEqual([keptMessage('a')])
      thaw()
      const late = owned.write({
        identity: { cid: 'late' },
        put: [keptMessage('b')],
        remove: [{ id: 'a', outcome: delivered }],
      })
      await expect(late).rejects.toThrow()
      expect(owned.lost.aborted).toBe(true)
      await owned.release()
      await next.owned.write({ put: [keptMessage('c')] })
      await next.store.close()
      const { messages, identity } = await kept()
      expect(messages).toEqual([keptMessage('a'), keptMessage('c')])
      expect(identity).toBeUndefined()
    })

    it('[KEEP-6] who lost the outbox may wait for it again', async () => {
      const { store } = await own()
      const thaw = await place.freeze(store)
      const next = await own()
      thaw()
      const again = store.acquire(never)
      expect(await settled(again)()).toBe(false)
      await next.store.close()
      expect((await again).fence).toBeGreaterThan(next.owned.fence)
    })

    it('[KEEP-7] the owner is told what others add, once and in order, and not what it added', async () => {
      const [owner, other, third] = [open(), open(), open()]
      const heard = record(owner)
      const bystander = record(third)
      await other.add([keptMessage('before')])
      const { owned } = await own(owner)
      expect(owned.messages).toEqual([keptMessage('before')])
      await owner.add([keptMessage('own')])
      await owned.write({ put: [keptMessage('put')] })
      await other.add([keptMessage('a'), keptMessage('b')])
      await other.add([keptMessage('c')])
      await until(() => heard.added.includes('c'))
      // Known to the owner by now, it is changed as any other.
      await owned.write({ put: [keptMessage('a', { key: 'k' })] })
      await other.add([keptMessage('d')])
      await until(() => heard.added.includes('d'))
      expect(heard.added).toEqual(['a', 'b', 'c', 'd'])
      expect([...bystander.added, ...bystander.removed]).toEqual([])
      await owner.close()
      const { messages } = await kept()
      expect(messages.map(({ id }) => id)).toEqual([
        'before',
        ...['own', 'put'],
        ...['a', 'b', 'c', 'd'],
      ])
      expect(messages[3]).toEqual(keptMessage('a', { key: 'k' }))
    })

    it('[KEEP-18] gives a handle what it had added before it got the outbox', async () => {
      const store = open()
      const before: string[] = []
      let owned: OwnedOutbox | undefined
      const acquiring = store.acquire(never).then((given) => (owned = given))
      const isOwned = (): boolean => owned !== undefined
      for (let n = 1; !isOwned(); n += 1) {
        await store.add([keptMessage(`${n}`)])
        if (!isOwned()) before.push(`${n}`)
      }
      const ids = (await acquiring).messages.map(({ id }) => id)
      // What was still on its way may be there as well.
      expect(ids.slice(0, before.length)).toEqual(before)
    })

    it('[KEEP-7] a handle finds what it added until it owns the outbox', async () => {
      const store = open()
      const heard = record(store)
      const added: string[] = []
      const acquiring = store.acquire(never).then(({ messages }) => ({
        found: messages.map(({ id }) => id),
        before: [...added],
      }))
      const isOwned = settled(acquiring)
      do {
        const id = `m${added.length}`
        await store.add([keptMessage(id)])
        added.push(id)
      } while (!(await isOwned()))
      const { found, before } = await acquiring
      await store.close()
      expect(found).toEqual(expect.arrayContaining(before))
      expect((await kept()).messages.map(({ id }) => id)).toEqual(added)
      expect(heard.added).toEqual([])
    })

    it('[KEEP-7] whoever accepted a message is told what became of it, and the owner is not', async () => {
      const [owner, other] = [open(), open()]
      const heard = [record(owner), record(other)]
      await other.ready()
      await other.add(['a', 'b', 'c'].map((id) => keptMessage(id)))
      const { owned } = await own(owner)
      await owned.write({ remove: [{ id: 'a', outcome: delivered }] })
      await owned.write({
        remove: [
          { id: 'b', outcome: { outcome: 'refused', code: 'no' } },
          { id: 'never there', outcome: delivered },
        ],
      })
      await until(() => heard[1]?.removed.length === 2)
      expect(heard[1]?.removed).toEqual([
        ['a', delivered],
        ['b', { outcome: 'refused', code: 'no' }],
      ])
      heard[1]?.stop()
      await owned.write({ remove: [{ id: 'c', outcome: delivered }] })
      await place.passLease()
      expect(heard[1]?.removed).toHaveLength(2)
      expect(heard[0]?.removed).toEqual([])
    })

    it('[KEEP-7] tells it too who handed the outbox over, or lost it', async () => {
      const [first, second] = [open(), open()]
      const heard = record(first)
      const { owned } = await own(first)
      await first.add([keptMessage('a'), keptMessage('b')])
      await owned.release()
      const next = await own(second)
      await next.owned.write({ remove: [{ id: 'a', outcome: delivered }] })
      await until(() => heard.removed.length === 1)
      await crash(second)
      const third = await own()
      await third.owned.write({ remove: [{ id: 'b', outcome: delivered }] })
      await until(() => heard.removed.length === 2)
      expect(heard.removed.map(([id]) => id)).toEqual(['a', 'b'])
      expect(heard.added).toEqual([])
    })

    it('[KEEP-8] leaves nothing behind when it is closed, and does nothing from then on', async () => {
      const { store } = await own()
      const waiter = open()
      const heard = record(waiter)
      const waiting = waiter.acquire(never)
      await waiter.close()
      await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
      await store.close()
      await store.close()
      await expect(store.add([keptMessage('a')])).rejects.toThrow()
      await expect(store.acquire(never)).rejects.toThrow()
      await expect(store.ready()).rejects.toThrow()
      store.watch({ added: () => undefined, removed: () => undefined })()
      await own().then(({ store: last }) => last.close())
      expect(await place.leftovers()).toEqual([])
      expect([...heard.added, ...heard.removed]).toEqual([])
    })

    it('[KEEP-8] a closed owner has first done what it was asked before', async () => {
      const { store, owned } = await own()
      const written = owned.write({ put: [keptMessage('a')] })
      const added = store.add([keptMessage('b')])
      await store.close()
      await Promise.all([written, added])
      expect((await kept()).messages).toHaveLength(2)
    })
  })
}

/** Tells, after a moment in which it might have happened, whether a promise is settled. */
function settled(promise: Promise<unknown>): () => Promise<boolean> {
  let isSettled = false
  void promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  )
  return async () => {
    await until(() => isSettled, 60).catch(() => undefined)
    return isSettled
  }
}
