import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from '../eventually.js'
import type { OutboxTabGlobal } from './outbox-page.js'
import { openTabs, tabEnds, type Tabs } from './tabs.js'

let tabs: Tabs
let profile: BrowserContext

beforeAll(async () => {
  tabs = await openTabs('outbox-page.ts')
})

afterAll(() => tabs.close())

beforeEach(async () => {
  profile = await tabs.newProfile()
  onTestFinished(() => profile.close())
})

/** With a lease so long that nothing in a test can wait for it, unless it says otherwise. */
const openTab = (leaseMs = 600_000): Promise<Page> => tabs.open({ leaseMs })

type Call<T> = (tab: OutboxTabGlobal) => T
const ask = <T>(page: Page, call: Call<T>): Promise<T> =>
  page.evaluate(`(${call.toString()})(globalThis.tab)`)

const fenceOf = (page: Page): Promise<number | undefined> => ask(page, (tab) => tab.fence)

/** Waits until a tab owns the outbox, and gives its fence. */
async function owns(page: Page): Promise<number> {
  let fence: number | undefined
  await eventually(async () => {
    fence = await fenceOf(page)
    expect(fence).toBeDefined()
  })
  return fence ?? 0
}

async function openPair(leaseMs?: number) {
  const owner = await openTab(leaseMs)
  const fence = await owns(owner)
  const other = await openTab(leaseMs)
  expect(await ask(owner, (tab) => tab.put('kept'))).toBe('done')
  return { owner, other, fence }
}

const processOf = (page: Page): Promise<number> =>
  tabs.processOf(() => ask(page, (tab) => tab.block(3_000)))

describe('an outbox in tabs of Chromium', () => {
  it('[KEEP-4] [KEEP-7] has one owner, who hears of the others’ messages at once', async () => {
    const { owner, other } = await openPair()
    const third = await openTab()
    expect(await ask(other, (tab) => tab.add('a'))).toBe('done')
    expect(await ask(third, (tab) => tab.add('b'))).toBe('done')
    await eventually(async () => {
      expect(await ask(owner, (tab) => tab.added)).toEqual(['a', 'b'])
    })
    await ask(owner, (tab) => tab.remove('a'))
    await eventually(async () => {
      expect(await ask(other, (tab) => tab.removed)).toEqual([['a', { outcome: 'delivered' }]])
    })
    expect([await fenceOf(other), await fenceOf(third)]).toEqual([undefined, undefined])
  })

  for (const [what, end] of tabEnds) {
    it(`[KEEP-10] passes on at once when the owner’s tab ${what}`, async () => {
      const { owner, other, fence } = await openPair()
      await end(owner)
      expect(await owns(other)).toBeGreaterThan(fence)
      expect(await ask(other, (tab) => tab.messages)).toEqual(['kept'])
    })
  }

  it('[KEEP-6] [KEEP-10] passes from a frozen tab, which can change nothing when it thaws', async () => {
    const { owner, other, fence } = await openPair(1_500)
    const pid = await processOf(owner)
    process.kill(pid, 'SIGSTOP')
    try {
      expect(await owns(other)).toBeGreaterThan(fence)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect(await ask(owner, (tab) => tab.put('late'))).not.toBe('done')
    expect(await ask(owner, (tab) => tab.isLost)).toBe(true)
    await refusesWhatWasLate(other)
  })

  it('[KEEP-6] [KEEP-10] passes from a tab whose thread hangs, which can change nothing after', async () => {
    const { owner, other, fence } = await openPair(900)
    // Asked to write as soon as its thread is free.
    const late = ask(owner, async (tab) => {
      tab.block(6_000)
      return await tab.put('late')
    })
    const started = performance.now()
    expect(await owns(other)).toBeGreaterThan(fence)
    // Witness: it was taken from a thread that still hung.
    expect(performance.now() - started).toBeLessThan(5_500)
    expect(await late).not.toBe('done')
    expect(await ask(owner, (tab) => tab.isLost)).toBe(true)
    await refusesWhatWasLate(other)
  })

  async function refusesWhatWasLate(owner: Page): Promise<void> {
    expect(await ask(owner, (tab) => tab.put('next'))).toBe('done')
    await owner.close()
    const last = await openTab()
    await owns(last)
    expect(await ask(last, (tab) => tab.messages)).toEqual(['kept', 'next'])
  }
})
