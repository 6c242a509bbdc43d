import type { BrowserContextOptions, Page, Browser } from 'playwright-core'
import { eventually } from '../examples/dashboard/eventually.js'

/** The dashboard as a user sees it. */
export type DashboardPage = {
  readonly page: Page
  /** What the page complained about on its console, but for servers that are not there. */
  readonly complaints: readonly string[]
  press(button: string): Promise<void>
  /** Waits until the banner says this, and the badge too. */
  says(words: string | RegExp): Promise<void>
  /** Everything that the banner has said since the page was opened, each change once. */
  said(): Promise<string[]>
  /** Waits until some line of the log holds this text. */
  logs(text: string | RegExp): Promise<void>
  credits(): Promise<number>
  /** Status, count and time left of each shoot on the screen, by its id. */
  shoots(): Promise<Record<string, string>>
  /** The devices on the screen; `name?` where it is not confirmed. */
  devices(): Promise<string[]>
  text(name: string): Promise<string>
}

/** How to open it; `prepare` comes before anything of it is loaded. */
export type OpenOptions = BrowserContextOptions & { prepare?: (page: Page) => Promise<void> }

/** Opens the dashboard in a browser profile of its own. */
export async function openDashboard(
  browser: Browser,
  url: string,
  options: OpenOptions = {},
): Promise<DashboardPage> {
  const { prepare, ...profile } = options
  const context = await browser.newContext(profile)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    const isExpected = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket/.test(message.text())
    if (message.type() === 'error' && !isExpected) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.addInitScript(noteBanner)
  await prepare?.(page)
  await page.goto(url)

  const part = (name: string) => page.locator(`[data-test="${name}"]`)
  const text = (name: string) => part(name).innerText()
  const waitFor = (name: string, words: string | RegExp) =>
    part(name).filter({ hasText: words }).first().waitFor()

  return {
    page,
    complaints,
    press: (button) => page.getByRole('button', { name: button, exact: true }).click(),
    async says(words) {
      await Promise.all([waitFor('banner', words), waitFor('badge', words)])
    },
    said: () => page.evaluate(() => (globalThis as unknown as { said: string[] }).said),
    logs: (words) => waitFor('line', words),
    credits: async () => Number((await text('credits')).replaceAll(',', '')),
    // In one look: between two, the screen changes.
    shoots: () =>
      page.evaluate(() => {
        const shoots = [...document.querySelectorAll<HTMLElement>('[data-test="shoot"]')]
        return Object.fromEntries(
          shoots.map((shoot) => {
            const { shoot: id = '', status = '' } = shoot.dataset
            const part = (name: string) => shoot.querySelector(`[data-test="${name}"]`)?.textContent
            return [id, `${status} ${part('count')} ${part('eta')}`.trim()]
          }),
        )
      }),
    devices: () =>
      page.evaluate(() => {
        const devices = [...document.querySelectorAll<HTMLElement>('[data-test="device"]')]
        return devices.map(({ dataset: { device = '', confirmed } }) =>
          confirmed === 'true' ? device : `${device}?`,
        )
      }),
    text,
  }
}

/** Waits until what a page shows passes an assertion. */
export async function shows<T>(look: () => Promise<T>, assert: (seen: T) => void): Promise<void> {
  await eventually(async () => {
    assert(await look())
  })
}

// Runs in the page, before its own scripts.
function noteBanner(): void {
  const said: string[] = []
  Object.assign(globalThis, { said })
  const look = (): void => {
    const words = document.querySelector('[data-test="banner"]')?.textContent ?? ''
    if (words !== '' && words !== said.at(-1)) said.push(words)
  }
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
  })
}
