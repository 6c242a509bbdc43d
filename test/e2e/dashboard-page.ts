import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { eventually } from '../examples/dashboard/eventually.js'

/** The dashboard as a user sees it. */
export type DashboardPage = {
  readonly page: Page
  /** What the page complained about on its console, but for servers that are not there. */
  readonly complaints: readonly string[]
  press(button: string): Promise<void>
  /** Asks for a code, approves it on the page that the link leads to, and waits until that is done. */
  signIn(): Promise<void>
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

/** How to open it. */
export type OpenOptions = BrowserContextOptions & {
  /** Comes before anything of it is loaded. */
  prepare?: (page: Page) => Promise<void>
  /** What its console may complain about. */
  tolerates?: RegExp
}

/** Opens the dashboard in a browser profile of its own. */
export async function openDashboard(
  browser: Browser,
  url: string,
  options: OpenOptions = {},
): Promise<DashboardPage> {
  const { prepare, tolerates, ...profile } = options
  const context = await browser.newContext(profile)
  return openTab(context, url, { ...(prepare && { prepare }), ...(tolerates && { tolerates }) })
}

/** Opens the dashboard in a further tab of a profile. */
export async function openTab(
  context: BrowserContext,
  url: string,
  { prepare, tolerates }: Pick<OpenOptions, 'prepare' | 'tolerates'> = {},
): Promise<DashboardPage> {
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    const text = message.text()
    const isExpected = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket/.test(text)
    const isTolerated = isExpected || tolerates?.test(text) === true
    if (message.type() === 'error' && !isTolerated) complaints.push(text)
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.addInitScript(noteBanner)
  await prepare?.(page)
  await page.goto(url)

  const part = (name: string) => page.locator(`[data-test="${name}"]`)
  const text = (name: string) => part(name).innerText()
  const waitFor = (name: string, words: string | RegExp) =>
    part(name).filter({ hasText: words }).first().waitFor()

  const press = (button: string) => page.getByRole('button', { name: button, exact: true }).click()

  return {
    page,
    complaints,
    press,
    async signIn() {
      await press('Sign in')
      const [approval] = await Promise.all([
        context.waitForEvent('page'),
        page.getByRole('link', { name: 'Open the approval page' }).click(),
      ])
      await approval.getByRole('button', { name: 'Approve' }).click()
      await approval.getByText('is signed in').waitFor()
      await approval.close()
      await part('user').waitFor()
    },
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
