import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect, vi } from 'vitest'
import { chromiumArgs, findChromium } from '../../scripts/lib/chromium.mjs'
import { entries } from '../../scripts/lib/entries.mjs'
import { root } from '../../scripts/lib/run.mjs'

/** A browser whose tabs all load one script. */
export interface Tabs {
  /** Forgets what was stored, and opens tabs in a profile of its own from now on. */
  newProfile(): Promise<BrowserContext>
  /** Opens a tab with parameters. */
  open(parameters: Readonly<Record<string, string | number>>): Promise<Page>
  /** The process of the tab whose thread is kept busy for some seconds meanwhile. */
  processOf(keepBusy: () => Promise<unknown>): Promise<number>
  close(): Promise<void>
}

/** Opens Chromium, and serves a script of this folder on the loopback. */
export async function openTabs(page: string): Promise<Tabs> {
  const script = await bundle(join(root, 'test/e2e', page))
  const http = createServer(({ url = '' }, response) => {
    const isScript = url === '/page.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>',
    )
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const executablePath = findChromium()
  const browser = await chromium.launch({
    args: chromiumArgs,
    ...(executablePath !== undefined && { executablePath }),
  })
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
      await tab.goto(`${origin}/?${query.toString()}`)
      return tab
    },
    // The one that works while the tab does.
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
      http.closeAllConnections()
      http.close()
    },
  }
}

async function bundle(entryPoint: string): Promise<string> {
  const alias = Object.fromEntries(entries().map(({ name, source }) => [name, join(root, source)]))
  const { outputFiles } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    alias,
  })
  return outputFiles[0]?.text ?? ''
}

/** Waits for what a check asserts, with a bound for what hangs. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 30_000, interval: 50 })
}
