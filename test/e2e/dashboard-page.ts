import type { Browser, BrowserContext, BrowserContextOptions } from 'playwright-core'
import { eventually } from '../eventually.js'
import { type OpenedPage, openPage, type OpenPageOptions } from './browser.js'

/** The dashboard as a user sees it. */
export type DashboardPage = OpenedPage & {
  press(button: string): Promise<void>
  /** Asks for a code, approves it on the approval page, and waits until the device is signed in. */
  signIn(): Promise<void>
  /** Waits until the banner and the badge show these words. */
  says(words: string | RegExp): Promise<void>
  /** Every text that the banner has shown since the page was opened. */
  said(): Promise<string[]>
  /** Waits until a line of the log contains this text. */
  logs(text: string | RegExp): Promise<void>
  credits(): Promise<number>
  /** Status, count and time left of each shoot on the screen, by its id. */
  shoots(): Promise<Record<string, string>>
  /** The devices on the screen; an unconfirmed one as `name?`. */
  devices(): Promise<string[]>
  text(name: string): Promise<string>
}

/** How to open it: the profile, and the page in it. */
export type OpenOptions = BrowserContextOptions & OpenPageOptions

/** Opens the dashboard in a browser profile of its own. */
export async function openDashboard(
  browser: Browser,
  url: string,
  options: OpenOptions = {},
): Promise<DashboardPage> {
  const { prepare, tolerates, ...profile } = options
  const context = await browser.newContext(profile)
  return openTab(context, url, { prepare, tolerates })
}

/** Opens the dashboard in a further tab of a profile. */
export async function openTab(
  context: BrowserContext,
  url: string,
  options: OpenPageOptions = {},
): Promise<DashboardPage> {
  const { page, complaints } = await openPage(context, url, {
    ...options,
    async prepare(page) {
      await page.addInitScript(noteBanner)
      await options.prepare?.(page)
    },
  })

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
    // One call reads all of it: the screen may change between two calls.
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
