import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { chromiumArgs, findChromium } from '../../scripts/lib/chromium.mjs'
import { entries } from '../../scripts/lib/entries.mjs'
import { root } from '../../scripts/lib/run.mjs'

/** Starts Chromium: an installed one if there is one, else Playwright's own. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = findChromium()
  return chromium.launch({
    args: chromiumArgs,
    ...(executablePath !== undefined && { executablePath }),
  })
}

/** How {@link openPage} opens a page. */
export type OpenPageOptions = {
  /** Runs before the page loads anything. */
  prepare?: ((page: Page) => Promise<void>) | undefined
  /** Console errors that are expected. */
  tolerates?: RegExp | undefined
}

/** A page, and the errors that it reported. */
export type OpenedPage = {
  readonly page: Page
  /** Uncaught errors, and console errors other than those of unreachable servers. */
  readonly complaints: readonly string[]
}

/** Opens a page in a tab of a profile, and collects its errors from the start. */
export async function openPage(
  profile: BrowserContext,
  url: string,
  { prepare, tolerates }: OpenPageOptions = {},
): Promise<OpenedPage> {
  const page = await profile.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    const text = message.text()
    const isExpected = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket/.test(text)
    const isTolerated = isExpected || tolerates?.test(text) === true
    if (message.type() === 'error' && !isTolerated) complaints.push(text)
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await prepare?.(page)
  await page.goto(url)
  return { page, complaints }
}

/** A page on the loopback. */
export type ServedPage = {
  readonly origin: string
  close(): void
}

/** Answers a request and resolves with true, or leaves it to the page and resolves with false. */
type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

/** Serves a page that loads one script of this folder. `handle` may answer requests before it. */
export async function servePage(
  script: string,
  handle: RequestHandler = () => Promise.resolve(false),
): Promise<ServedPage> {
  const code = await bundle(join(root, 'test/e2e', script))
  const http = createServer((request, response) => {
    void handle(request, response).then((isHandled) => {
      if (isHandled) return
      const isScript = request.url === '/page.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(
        isScript ? code : '<!doctype html><script type="module" src="/page.js"></script>',
      )
    })
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    close() {
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
