import type { Page } from 'playwright-core'
import { kull } from 'statewire/kull'
import { createSyncServer } from 'statewire/server'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from '../eventually.js'
import { openProxy } from '../../chaos/proxy.js'
import type { DeliveryTabGlobal } from './delivery-page.js'
import { openTabs, type Tabs } from './tabs.js'

let tabs: Tabs

beforeAll(async () => {
  tabs = await openTabs('delivery-page.ts')
})

afterAll(() => tabs.close())

beforeEach(async () => {
  const profile = await tabs.newProfile()
  onTestFinished(() => profile.close())
})

/** A server with delivery behind a proxy, and the numbers that it took, in order. */
async function serve() {
  const taken: number[] = []
  let accepting: Promise<undefined> = Promise.resolve(undefined)
  let goOn: () => void = () => undefined
  const server = createSyncServer({
    protocol: kull,
    delivery: { accept: () => accepting },
    on: {
      UPDATE_PROGRESS({ payload }) {
        taken.push(payload.processedCount ?? 0)
      },
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const proxy = await openProxy(() => port)
  onTestFinished(async () => {
    goOn()
    await proxy.close()
    await server.close({ graceMs: 0 })
  })
  return {
    taken,
    proxy,
    delivery: () => server.stats().delivery!,
    /** Takes nothing until the function that is given is called. */
    hesitate() {
      accepting = new Promise((resolve) => {
        goOn = () => resolve(undefined)
      })
      return () => {
        accepting = Promise.resolve(undefined)
        goOn()
      }
    },
    open: (leaseMs = 600_000) => tabs.open({ leaseMs, server: `ws://127.0.0.1:${proxy.port}/ws` }),
  }
}

const ask = <T>(page: Page, call: (tab: DeliveryTabGlobal) => T): Promise<Awaited<T>> =>
  page.evaluate(`(${call.toString()})(globalThis.tab)`)

const owns = (page: Page) =>
  eventually(async () => {
    expect(await ask(page, ({ status }) => status)).toMatchObject({
      isOwner: true,
      delivery: 'live',
    })
  })

async function openPair(server: Awaited<ReturnType<typeof serve>>) {
  const owner = await server.open()
  await owns(owner)
  const other = await server.open()
  await eventually(async () => {
    expect(await ask(other, ({ status }) => status.delivery)).toBe('live')
  })
  return { owner, other }
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((left, right) => left - right)

describe('two tabs with one outbox, on a real server', () => {
  it('[OUT-16] [DLV-10] send the messages of both once, each tab’s in order', async () => {
    const server = await serve()
    const { owner, other } = await openPair(server)
    const sending = [
      ask(owner, (tab) => tab.send(1, 2, 3, 4, 5)),
      ask(other, (tab) => tab.send(101, 102, 103, 104, 105)),
    ]
    expect(await Promise.all(sending)).toEqual([5, 5])
    const all = [1, 2, 3, 4, 5, 101, 102, 103, 104, 105]
    for (const tab of [owner, other]) {
      await eventually(async () => {
        expect(await ask(tab, ({ outcomes }) => outcomes)).toEqual(Array(5).fill('delivered'))
        expect(sorted(await ask(tab, ({ heard }) => heard))).toEqual(all)
      })
    }
    expect(sorted(server.taken)).toEqual(all)
    expect(server.taken.filter((n) => n < 100)).toEqual([1, 2, 3, 4, 5])
    expect(server.taken.filter((n) => n > 100)).toEqual([101, 102, 103, 104, 105])
    expect(await ask(owner, ({ counts }) => counts.transmitted)).toBe(10)
    expect(await ask(other, ({ counts }) => counts.transmitted)).toBe(0)
  })

  it('[OUT-16] [DLV-11] hand over when the owner is closed with messages on their way', async () => {
    const server = await serve()
    const { owner, other } = await openPair(server)
    const goOn = server.hesitate()
    expect(await ask(owner, (tab) => tab.send(1, 2, 3))).toBe(3)
    expect(await ask(other, (tab) => tab.send(101, 102))).toBe(2)
    await eventually(async () => {
      expect(await ask(owner, ({ status }) => status.inFlight)).toBe(5)
    })
    await owner.close()
    await eventually(async () => {
      expect(await ask(other, ({ status }) => status.isOwner)).toBe(true)
    })
    goOn()
    expect(await ask(other, (tab) => tab.send(103))).toBe(1)
    await eventually(async () => {
      expect(await ask(other, ({ outcomes }) => outcomes)).toEqual(Array(3).fill('delivered'))
    })
    expect(sorted(server.taken)).toEqual([1, 2, 3, 101, 102, 103])
    expect(await ask(other, ({ status }) => status.depth)).toBe(0)
  })

  it('[OUT-16] [KEEP-6] [DSRV-14] take over from a frozen owner, which does no harm after', async () => {
    const server = await serve()
    const owner = await server.open(1_500)
    await owns(owner)
    // While nobody waits for it, who would take it for frozen already.
    const pid = await tabs.processOf(() => ask(owner, (tab) => tab.block(3_000)))
    const other = await server.open(1_500)
    await owns(owner)
    await ask(owner, (tab) => tab.sendOn(1, 20))
    await eventually(() => expect(server.taken.length).toBeGreaterThan(10))
    // A tab that is frozen within a transaction holds up all others: IndexedDB has no remedy.
    const next = await ask(owner, (tab) => tab.rest())
    process.kill(pid, 'SIGSTOP')
    try {
      expect(await ask(other, (tab) => tab.send(10_001))).toBe(1)
      await owns(other)
      await eventually(() => expect(server.taken).toContain(10_001))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    // What it sends from then on goes the new owner's way.
    await owner.evaluate(`globalThis.tab.sendOn(${next}, 20)`)
    const before = server.taken.length
    await eventually(() => expect(server.taken.length).toBeGreaterThan(before + 20))
    expect(await ask(owner, ({ status }) => status.isOwner)).toBe(false)
    const { transmitted } = await ask(owner, ({ counts }) => counts)
    const later = server.taken.length
    await eventually(() => expect(server.taken.length).toBeGreaterThan(later + 20))
    expect(await ask(owner, (tab) => tab.counts.transmitted)).toBe(transmitted)
    expect(new Set(await ask(owner, (tab) => tab.outcomes))).toEqual(new Set(['delivered']))
    const own = server.taken.filter((n) => n < 10_000)
    expect(own).toEqual(own.map((_, at) => at + 1))
    expect(server.taken.filter((n) => n > 10_000)).toEqual([10_001])
  })

  it('[OUT-14] [DLV-11] send after a reload what waited without a connection', async () => {
    const server = await serve()
    const page = await server.open()
    await owns(page)
    server.proxy.blackhole()
    server.proxy.cut()
    await eventually(async () => {
      expect(await ask(page, ({ status }) => status.delivery)).toBe('offline')
    })
    expect(await ask(page, (tab) => tab.send(1, 2, 3, 4))).toBe(4)
    await page.reload()
    await eventually(async () => {
      expect(await ask(page, ({ status }) => status.depth)).toBe(4)
    })
    expect(server.taken).toEqual([])
    server.proxy.cut()
    server.proxy.heal()
    await eventually(() => expect(server.taken).toEqual([1, 2, 3, 4]))
    await eventually(async () => {
      expect(await ask(page, ({ status }) => status.depth)).toBe(0)
    })
    expect(server.delivery()).toMatchObject({ taken: 4, duplicates: 0 })
  })
})
