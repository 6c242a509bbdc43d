import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createSystemClock } from '../../src/base/clock.js'
import { createHttpHandler } from '../session/fake-http.js'
import { ada, createFakeServer, type FakeServer } from '../session/fake-server.js'
import { launchBrowser, type ServedPage, servePage } from './browser.js'
import type { TabGlobals } from './session-page.js'

let browser: Browser
let page: ServedPage
let server: FakeServer

beforeAll(async () => {
  page = await servePage('session-page.ts', (request, response) =>
    createHttpHandler(server)(request, response),
  )
  browser = await launchBrowser()
})

afterAll(async () => {
  await browser.close()
  page.close()
})

beforeEach(() => {
  server = createFakeServer({ clock: createSystemClock() })
})

/** A profile of its own, with nothing stored. */
async function openProfile(): Promise<BrowserContext> {
  const profile = await browser.newContext()
  onTestFinished(() => profile.close())
  return profile
}

async function openTab(profile: BrowserContext): Promise<Page> {
  const tab = await profile.newPage()
  await tab.goto(page.origin)
  return tab
}

const stateOf = (tab: Page) =>
  tab.evaluate(() => (globalThis as unknown as TabGlobals).statewire.session.status)
const syncOf = (tab: Page) =>
  tab.evaluate(() => [...(globalThis as unknown as TabGlobals).statewire.sync])
const shows = (tab: Page, status: object) =>
  vi.waitFor(async () => expect(await stateOf(tab)).toMatchObject(status), {
    timeout: 20_000,
    interval: 50,
  })

async function signIn(tab: Page): Promise<void> {
  await shows(tab, { state: 'signedOut' })
  await tab.evaluate(() => {
    ;(globalThis as unknown as TabGlobals).statewire.session.signIn()
  })
  await shows(tab, { state: 'linking' })
  server.approve()
  await shows(tab, { state: 'signedIn', user: ada })
}

describe('tabs of Chromium', () => {
  it('[DEV-2] [STOR-4] that open at once for the first time agree on the device id', async () => {
    for (let round = 0; round < 3; round += 1) {
      const profile = await openProfile()
      const tabs = await Promise.all(Array.from({ length: 5 }, () => openTab(profile)))
      const ids = await Promise.all(
        tabs.map((tab) =>
          tab.evaluate(() => (globalThis as unknown as TabGlobals).statewire.deviceId.get()),
        ),
      )
      expect(new Set(ids).size).toBe(1)
      expect(ids[0]).toMatch(/^[0-9A-F-]{36}$/)
    }
    // Witness: the tabs were processes of their own, each with its own copy of the storage.
    const session = await browser.newBrowserCDPSession()
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    expect(processInfo.filter(({ type }) => type === 'renderer').length).toBeGreaterThan(5)
  })

  it('[SESS-5] [SESS-10] link this device, and stay signed in over a reload', async () => {
    const tab = await openTab(await openProfile())
    await signIn(tab)
    expect(await syncOf(tab)).toEqual(['start'])
    await tab.reload()
    await shows(tab, { state: 'signedIn', user: ada })
    expect(await syncOf(tab)).toEqual(['start'])
    expect(server.count('requestLink')).toBe(1)
    expect(
      await tab.evaluate(() => (globalThis as unknown as TabGlobals).statewire.errors),
    ).toEqual([])
  })

  it('[SESS-13] sign in and out together', async () => {
    const profile = await openProfile()
    const [first, second] = [await openTab(profile), await openTab(profile)]
    await shows(second, { state: 'signedOut' })
    await signIn(first)
    await shows(second, { state: 'signedIn', user: ada })
    await second.evaluate(() => (globalThis as unknown as TabGlobals).statewire.session.signOut())
    await shows(second, { state: 'signedOut', reason: 'signed-out' })
    await shows(first, { state: 'signedOut', reason: 'elsewhere' })
    expect(await syncOf(first)).toEqual(['start', 'stop'])
    await vi.waitFor(() => {
      expect(server.refreshTokensLeft).toBe(0)
    })
    await first.reload()
    await shows(first, { state: 'signedOut' })
  })
})
