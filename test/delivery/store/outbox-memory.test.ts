import { expect, it } from 'vitest'
import {
  createMemoryOutboxStore,
  type MemoryOutboxHandle,
} from '../../../src/delivery/store/outbox-memory.js'
import { describeOutbox, keptMessage } from './outbox-compliance.js'

const never = new AbortController().signal

describeOutbox('an outbox in memory', () => {
  const place = createMemoryOutboxStore()
  return {
    open: () => place.open(),
    crash: (store) => {
      ;(store as MemoryOutboxHandle).crash()
    },
    freeze: (store) => {
      ;(store as MemoryOutboxHandle).loseOwnership()
      return () => undefined
    },
    passLease: () => undefined,
    leftovers: () => [],
  }
})

it('[KEEP-9] in memory, a crash loses what was pending, and nothing of it settles', async () => {
  const place = createMemoryOutboxStore()
  const handle = place.open()
  await handle.add([keptMessage('kept')])
  const owned = await handle.acquire(never)
  const outcomes: string[] = []
  for (const pending of [
    handle.add([keptMessage('lost')]),
    owned.write({ put: [keptMessage('lost too')] }),
    handle.ready(),
  ]) {
    void pending.then(
      () => outcomes.push('done'),
      () => outcomes.push('failed'),
    )
  }
  handle.crash()
  const next = await place.open().acquire(never)
  expect(next.messages).toEqual([keptMessage('kept')])
  expect(outcomes).toEqual([])
})

it('[KEEP-9] in memory, ownership is lost on demand, and only by who has it', async () => {
  const place = createMemoryOutboxStore()
  const [first, second] = [place.open(), place.open()]
  const owned = await first.acquire(never)
  second.loseOwnership()
  expect(owned.lost.aborted).toBe(false)
  first.loseOwnership()
  expect(owned.lost.aborted).toBe(true)
  await expect(owned.write({})).rejects.toThrow()
  expect((await second.acquire(never)).fence).toBeGreaterThan(owned.fence)
})
