import type { BrowserContext, Page } from 'playwright-core'
import { expect } from 'vitest'
import { launchBrowser, servePage } from './browser.js'

/** A browser whose tabs all load one script. */
export interface Tabs {
  /** Makes a profile with nothing stored. Later tabs open in it. */
  newProfile(): Promise<BrowserContext>
  /** Opens a tab. The parameters are the query of its URL. */
  open(parameters: Readonly<Record<string, string | number>>): Promise<Page>
  /** Finds the process of a tab: the one that works while `keepBusy` blocks the tab's thread. */
  processOf(keepBusy: () => Promise<unknown>): Promise<number>
  close(): Promise<void>
}

/** How a tab ends, or the handle that it has as `tab`. */
export const tabEnds: readonly [name: string, end: (tab: Page) => Promise<unknown>][] = [
  ['is closed', (tab) => tab.close()],
  ['is reloaded', (tab) => tab.reload()],
  ['closes its handle', (tab) => tab.evaluate('globalThis.tab.close()')],
  [
    'crashes',
    async (tab) => {
      const session = await tab.context().newCDPSession(tab)
      const crashed = new Promise((resolve) => tab.once('crash', resolve))
      session.send('Page.crash').catch(() => undefined)
      await crashed
    },
  ],
]

/** Starts Chromium, and serves a page with a script of this folder. */
export async function openTabs(page: string): Promise<Tabs> {
  const served = await servePage(page)
  const browser = await launchBrowser()
  let profile: BrowserContext | undefined

  return {
    async newProfile() {
      profile = await browser.newContext()
      return profile
    },
    async open(parameters) {
      const tab = await profile!.newPage()
      const query = new URLSearchParams(
        Object.entries(parameters).map(([name, value]) => [name, String(value)]),
      )
      await tab.goto(`${served.origin}/?${query.toString()}`)
      return tab
    },
    async processOf(keepBusy) {
      const session = await browser.newBrowserCDPSession()
      const read = async () => {
        const { processInfo } = await session.send('SystemInfo.getProcessInfo')
        return processInfo.filter(({ type }) => type === 'renderer')
      }
      const before = new Map((await read()).map(({ id, cpuTime }) => [id, cpuTime]))
      await keepBusy()
      const worked = (await read()).map(({ id, cpuTime }) => ({
        id,
        seconds: cpuTime - (before.get(id) ?? 0),
      }))
      worked.sort((left, right) => right.seconds - left.seconds)
      expect(worked[0]?.seconds).toBeGreaterThan(2 * (worked[1]?.seconds ?? 0))
      return worked[0]?.id ?? 0
    },
    async close() {
      await browser.close()
      served.close()
    },
  }
}
