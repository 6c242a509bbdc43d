import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { eventually } from '../eventually.js'
import type { DatabaseTabGlobal } from './database-page.js'
import { openTabs, tabEnds, type Tabs } from './tabs.js'

let tabs: Tabs
let profile: BrowserContext

beforeAll(async () => {
  tabs = await openTabs('database-page.ts')
})

afterAll(() => tabs.close())

beforeEach(async () => {
  profile = await tabs.newProfile()
  onTestFinished(() => profile.close())
})

// So long that nothing in a test can wait for it.
const NEVER_MS = 600_000
const openTab = (): Promise<Page> => tabs.open({ pollMs: NEVER_MS })

const ask = <T>(page: Page, call: (tab: DatabaseTabGlobal) => T): Promise<T> =>
  page.evaluate(`(${call.toString()})(globalThis.tab)`)

async function openClaiming(leaseMs: number): Promise<Page> {
  const page = await openTab()
  await page.evaluate(`globalThis.tab.claim(${leaseMs})`)
  return page
}

/** Waits until a tab owns, and gives its fence. */
async function owns(page: Page): Promise<number> {
  let fence: number | undefined
  await eventually(async () => {
    fence = await ask(page, (tab) => tab.fence)
    expect(fence).toBeDefined()
  })
  return fence ?? 0
}

async function openPair(leaseMs = NEVER_MS) {
  const owner = await openClaiming(leaseMs)
  const fence = await owns(owner)
  const standbys = [await openClaiming(leaseMs), await openClaiming(leaseMs)]
  return { owner, standbys, fence }
}

/** Waits until one of several tabs owns. */
async function oneOwns(pages: readonly Page[]): Promise<Page> {
  const find = async (): Promise<Page> => {
    const fences = await Promise.all(pages.map((page) => ask(page, (tab) => tab.fence)))
    const owner = pages[fences.findIndex((fence) => typeof fence === 'number')]
    expect(owner).toBeDefined()
    return owner!
  }
  // A tab that was frozen in the middle of a transaction holds up all others, until Chromium ends
  // the transaction after a minute.
  return await vi.waitFor(find, { timeout: 90_000 })
}

describe('a database in tabs of Chromium', () => {
  it('[DB-20] [DB-21] makes one transaction at a time, and tells the other tabs of each', async () => {
    const [first, second] = [await openTab(), await openTab()]
    const add = (page: Page) =>
      ask(page, async (tab) => {
        for (let count = 0; count < 50; count += 1) await tab.append('.')
      })
    await Promise.all([add(first), add(second)])
    const { rows } = await ask(second, (tab) => tab.read())
    expect(rows[0]?.[0]?.value).toHaveLength(100)
    await eventually(async () => {
      expect(await ask(first, (tab) => tab.hints)).toBe(50)
      expect(await ask(second, (tab) => tab.hints)).toBe(50)
    })
  })

  it('[DB-23] has another history after one tab deleted it under another', async () => {
    const [first, second] = [await openTab(), await openTab()]
    await ask(first, (tab) => tab.append('a'))
    const before = await ask(second, (tab) => tab.read())
    expect(await ask(first, (tab) => tab.deleteDatabase())).toBe('success')
    const after = await ask(second, (tab) => tab.read())
    expect(after.rows).toEqual([[]])
    expect(after.history).not.toBe(before.history)
    expect(await ask(first, (tab) => tab.read())).toEqual(after)
  })

  it('[DB-24] waits for no tab that hangs after it asked for its writes', async () => {
    const [first, second] = [await openTab(), await openTab()]
    const hanging = ask(first, (tab) => tab.writeAndHang(5_000))
    let hasHung = false
    void hanging.then(() => {
      hasHung = true
    })
    await eventually(async () => {
      const { rows } = await ask(second, (tab) => tab.read())
      expect(rows[0]).toHaveLength(1)
    })
    await ask(second, (tab) => tab.append('a'))
    // Witness: the thread of the other tab still hangs.
    expect(hasHung).toBe(false)
    await hanging
  })

  for (const [what, end] of tabEnds) {
    it(`[DB-22] [DB-34] passes ownership at once when the owner’s tab ${what}`, async () => {
      const { owner, standbys, fence } = await openPair()
      await end(owner)
      const next = await oneOwns(standbys)
      expect(await ask(next, (tab) => tab.fence)).toBe(fence + 1)
      expect(await ask(next, (tab) => tab.write('a'))).toBe('done')
      // The other one follows that one.
      const last = standbys.find((page) => page !== next)!
      expect(await ask(last, (tab) => tab.fence)).toBeUndefined()
      await end(next)
      expect(await owns(last)).toBe(fence + 2)
    })
  }

  it('[DB-31] [DB-33] passes ownership from a frozen tab, which can write nothing when it thaws', async () => {
    const { owner, standbys, fence } = await openPair(1_500)
    const pid = await tabs.processOf(() => ask(owner, (tab) => tab.block(1_000)))
    expect(await ask(owner, (tab) => tab.write('a'))).toBe('done')
    process.kill(pid, 'SIGSTOP')
    let next: Page
    try {
      next = await oneOwns(standbys)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    expect(await ask(next, (tab) => tab.fence)).toBe(fence + 1)
    expect(await ask(owner, (tab) => tab.write('late'))).toBe('LostError')
    await eventually(async () => {
      expect(await ask(owner, (tab) => tab.isLost)).toBe(true)
    })
    expect(await ask(next, (tab) => tab.write('b'))).toBe('done')
    const { rows } = await ask(next, (tab) => tab.read())
    expect(rows[0]?.map(({ key }) => key)).toEqual(['a', 'b'])
  }, 150_000)
})
