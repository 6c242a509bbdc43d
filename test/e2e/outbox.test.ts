import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { chromiumArgs, findChromium } from '../../scripts/lib/chromium.mjs'
import { entries } from '../../scripts/lib/entries.mjs'
import { root } from '../../scripts/lib/run.mjs'
import type { OutboxTabGlobal } from './outbox-page.js'

let browser: Browser
let http: Server
let origin: string
let profile: BrowserContext

beforeAll(async () => {
  const script = await bundlePage()
  http = createServer(({ url = '' }, response) => {
    const isScript = url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>',
    )
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const executablePath = findChromium()
  browser = await chromium.launch({
    args: chromiumArgs,
    ...(executablePath !== undefined && { executablePath }),
  })
})

afterAll(async () => {
  await browser.close()
  http.closeAllConnections()
  http.close()
})

beforeEach(async () => {
  profile = await browser.newContext()
  onTestFinished(() => profile.close())
})

async function bundlePage(): Promise<string> {
  const alias = Object.fromEntries(entries().map(({ name, source }) => [name, join(root, source)]))
  const { outputFiles } = await build({
    entryPoints: [join(root, 'test/e2e/outbox-page.ts')],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    alias,
  })
  return outputFiles[0]?.text ?? ''
}

/** With a lease so long that nothing in a test can wait for it, unless it says otherwise. */
async function openTab(leaseMs = 600_000): Promise<Page> {
  const tab = await profile.newPage()
  await tab.goto(`${origin}/?leaseMs=${leaseMs}`)
  return tab
}

type Call<T> = (tab: OutboxTabGlobal) => T
const ask = <T>(page: Page, call: Call<T>): Promise<T> =>
  page.evaluate(`(${call.toString()})(globalThis.tab)`)

const fenceOf = (page: Page): Promise<number | undefined> => ask(page, (tab) => tab.fence)

const eventually = (check: () => Promise<void>) =>
  vi.waitFor(check, { timeout: 30_000, interval: 50 })

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

/** The process that a tab runs in: the one that works while the tab does. */
async function processOf(page: Page): Promise<number> {
  const session = await browser.newBrowserCDPSession()
  const read = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    return processInfo.filter(({ type }) => type === 'renderer')
  }
  const before = new Map((await read()).map(({ id, cpuTime }) => [id, cpuTime]))
  await ask(page, (tab) => tab.block(3_000))
  const worked = (await read()).map(({ id, cpuTime }) => ({
    id,
    seconds: cpuTime - (before.get(id) ?? 0),
  }))
  worked.sort((left, right) => right.seconds - left.seconds)
  expect(worked[0]?.seconds).toBeGreaterThan(2 * (worked[1]?.seconds ?? 0))
  return worked[0]?.id ?? 0
}

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

  const ends: [string, (tab: Page) => Promise<unknown>][] = [
    ['is closed', (tab) => tab.close()],
    ['is reloaded', (tab) => tab.reload()],
    ['closes its handle', (tab) => ask(tab, (globals) => globals.close())],
    [
      'crashes',
      async (tab) => {
        const session = await profile.newCDPSession(tab)
        const crashed = new Promise((resolve) => tab.once('crash', resolve))
        session.send('Page.crash').catch(() => undefined)
        await crashed
      },
    ],
  ]
  for (const [what, end] of ends) {
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
