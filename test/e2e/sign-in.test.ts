import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type DashboardPage, type OpenOptions, openTab, shows } from './dashboard-page.js'
import { useDemo } from './demo.js'

const running = useDemo('--pictures', '3', '--pace', '0')

/** A browser profile in which nobody has signed in. */
async function openProfile(): Promise<BrowserContext> {
  const context = await running().browser.newContext({ viewport: { width: 1180, height: 860 } })
  onTestFinished(() => context.close())
  return context
}

/** A device's dashboard in a tab, which must not have complained by the end of the test. */
async function open(
  device: string,
  options: Pick<OpenOptions, 'prepare' | 'tolerates'> = {},
  profile?: BrowserContext,
) {
  const context = profile ?? (await openProfile())
  const dashboard = await openTab(context, `${running().url}/?device=${device}`, options)
  onTestFinished(() => expect(dashboard.complaints).toEqual([]))
  return dashboard
}

/** Waits until the part of the page that asks to sign in says this. */
const asks = ({ page }: DashboardPage, words: string | RegExp) =>
  page.locator('[data-test="sign-in"]').filter({ hasText: words }).waitFor()

/** Follows the link to the approval page. While that is in front, the dashboard draws nothing. */
async function followLink({ page }: DashboardPage) {
  const [approval] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('link', { name: 'Open the approval page' }).click(),
  ])
  return approval
}

describe('a device', () => {
  it('[DEMO-29] [DEMO-24] [DEMO-25] is linked by its code, and stays signed in over a reload', async () => {
    const device = await open('LINK')
    const { page, press, says, text, devices, signIn } = device
    await asks(device, 'Sign this device in')
    await says('Offline')
    await press('Sign in')
    await shows(
      () => text('countdown'),
      (left) => expect(left).toMatch(/^for another (9m 5\ds|10m)$/),
    )
    const code = await text('code')
    expect(code).toMatch(/^[A-Z2-9]{6}$/)
    await device.logs(`Code ${code}`)
    await shows(
      () => text('countdown'),
      (left) => expect(left).toMatch(/^for another 9m 5[0-8]s$/),
    )
    const approval = await followLink(device)
    expect(await approval.locator('[data-test="code"]').innerText()).toBe(code)
    await approval.getByRole('button', { name: 'Approve' }).click()
    await approval.getByText('LINK is signed in').waitFor()
    await approval.close()
    await says('Synced')
    expect(await text('user')).toBe('Ada Lovelace')
    await shows(devices, (seen) => expect(seen).toContain('LINK'))

    await page.reload()
    await says('Synced')
    expect(await text('user')).toBe('Ada Lovelace')

    await press('Sign out')
    await asks(device, 'Sign this device in')
    await says('Offline')
    await device.logs('The sign-in is revoked')
    await page.reload()
    await asks(device, 'Sign this device in')
    await signIn()
    await says('Synced')
  })

  it('[DEMO-29] [DEMO-25] is told that its code was denied, and may give one up', async () => {
    const device = await open('DENIED')
    await device.press('Sign in')
    const approval = await followLink(device)
    await approval.getByRole('button', { name: 'Deny' }).click()
    await approval.getByText('DENIED is not signed in').waitFor()
    await approval.close()
    await asks(device, 'The code has expired. Please try again.')
    await device.press('Sign in')
    await asks(device, 'Approve this code')
    await device.press('Cancel')
    await asks(device, 'Sign this device in')
    expect(await device.text('session-message')).toBe('')
  })

  it('[DEMO-29] [DEMO-24] is told when it has had enough codes', async () => {
    const device = await open('EAGER', { tolerates: /429/ })
    for (let asked = 0; asked < 5; asked += 1) {
      await device.press('Sign in')
      await device.press('Cancel')
    }
    await device.press('Sign in')
    await asks(device, /Too many attempts\. Please try again in (59|60) minutes\./)
    expect(await device.page.getByRole('button', { name: 'Sign in' }).isDisabled()).toBe(true)
  })

  it('[DEMO-28] gets another token where only its own has expired', async () => {
    const { signIn, press, says, said, logs, text } = await open('EXPIRED')
    await signIn()
    await says('Synced')
    await press('Expire the token')
    await logs(/Token renewed.*Good for 3600 s/s)
    await shows(said, (words) => expect(words.slice(-2)).toEqual(['Reconnecting (1)…', 'Synced']))
    expect(await text('user')).toBe('Ada Lovelace')
  })

  it('[DEMO-28] is signed out, and told why, where its sign-in is revoked', async () => {
    const device = await open('REVOKED', { tolerates: /401/ })
    const { signIn, press, says, logs } = device
    await signIn()
    await says('Synced')
    await press('Revoke the sign-in')
    await asks(device, 'Your session has ended. Please sign in again.')
    await says('Offline')
    await logs(/Signed out.*Your session has ended/s)
    await signIn()
    await says('Synced')
  })
})

describe('tabs of a device', () => {
  it('[DEMO-29] sign in and out together', async () => {
    const profile = await openProfile()
    const first = await open('TABS', { tolerates: /401/ }, profile)
    const second = await open('TABS', { tolerates: /401/ }, profile)
    const other = await open('TABS2', {}, profile)
    await first.signIn()
    await first.says('Synced')
    await second.says('Synced')
    await asks(other, 'Sign this device in')

    await second.press('Sign out')
    await asks(second, 'Sign this device in')
    await asks(first, 'You have signed out in another window.')
    await first.says('Offline')
    await second.says('Offline')
  })
})

describe('environments', () => {
  it('[DEMO-30] [DEMO-17] have a sign-in each', async () => {
    const device = await open('BOTH')
    const { page, press, says, text, signIn } = device
    const moveTo = (name: string) => page.getByRole('radio', { name }).check()
    await signIn()
    await says('Synced')
    await moveTo('staging')
    await asks(device, 'Sign this device in')
    await says('Offline')
    await signIn()
    await says('Synced')
    expect(await text('self')).toBe('BOTH · staging')

    await moveTo('development')
    await says('Synced')
    await moveTo('staging')
    await says('Synced')
    await press('Sign out')
    await asks(device, 'Sign this device in')
    await page.reload()
    await asks(device, 'Sign this device in')
    expect(await text('self')).toBe('BOTH · staging')
    await moveTo('development')
    await says('Synced')
    expect(await text('user')).toBe('Ada Lovelace')
  })
})

describe('a credit change', () => {
  it('[DEMO-31] [DEMO-3] is a toast on every device, for a while', async () => {
    const [mac, phone] = [await open('TOAST'), await open('TOAST2')]
    for (const { signIn, says } of [mac, phone]) {
      await signIn()
      await says('Synced')
    }
    await mac.page.getByText('Processed 3 images').waitFor()
    const before = await mac.credits()
    await mac.press('Add 100 credits')
    for (const { page, credits } of [mac, phone]) {
      await page
        .locator('[data-test="toast"]')
        .filter({ hasText: `Credit Update` })
        .filter({ hasText: 'Gift' })
        .filter({ hasText: `Added 100 credits. New balance: ${before + 100}` })
        .waitFor()
      await shows(credits, (seen) => expect(seen).toBe(before + 100))
    }
    await phone.press('Dismiss')
    await phone.page.locator('[data-test="toast"]').waitFor({ state: 'detached' })
    await mac.press('Add 100 credits')
    await mac.page.getByText(`New balance: ${before + 200}`).waitFor()
    expect(await mac.page.locator('[data-test="toast"]').count()).toBe(1)
    await mac.page.locator('[data-test="toast"]').waitFor({ state: 'detached' })
  })

  it('[DEMO-31] is shown by the browser once the user has asked for it, while the page is hidden', async () => {
    const prepare = async (page: Page) => {
      await page.addInitScript(fakeNotification)
    }
    const device = await open('NOTIFY', { prepare })
    const { page, press, signIn, says, text } = device
    const shown = () =>
      page.evaluate(() => (globalThis as unknown as FakeNotificationGlobals).shownNotifications)
    const hide = (state: string) =>
      page.evaluate((visibilityState) => {
        Object.defineProperty(document, 'visibilityState', {
          value: visibilityState,
          configurable: true,
        })
      }, state)
    await signIn()
    await says('Synced')
    const before = await device.credits()
    const gift = async (gifts: number) => {
      await press('Add 100 credits')
      await device.logs(`→ ${before + 100 * gifts}`)
    }
    await hide('hidden')
    await gift(1)
    expect(await shown()).toEqual([])
    await press('Notify me')
    await shows(
      () => text('permission'),
      (permission) => expect(permission).toBe('Notifications on'),
    )
    await gift(2)
    await hide('visible')
    await gift(3)
    expect(await shown()).toEqual([
      `Credit Update\nGift\nAdded 100 credits. New balance: ${before + 200}`,
    ])
  })
})

it('[DEMO-29] fits a small screen before the sign-in, and after', async () => {
  const device = await open('SMALL')
  const { page, press, signIn, says } = device
  await page.setViewportSize({ width: 340, height: 700 })
  const width = () => page.evaluate(() => document.documentElement.scrollWidth)
  await asks(device, 'Sign this device in')
  expect(await width()).toBeLessThanOrEqual(340)
  await press('Sign in')
  await asks(device, 'Approve this code')
  expect(await width()).toBeLessThanOrEqual(340)
  const approval = await followLink(device)
  await approval.setViewportSize({ width: 340, height: 700 })
  const ofApproval = await approval.evaluate(() => document.documentElement.scrollWidth)
  expect(ofApproval).toBeLessThanOrEqual(340)
  await approval.close()
  await press('Cancel')
  await signIn()
  await says('Synced')
  expect(await width()).toBeLessThanOrEqual(340)
})

type FakeNotificationGlobals = { shownNotifications: string[] }

// Runs in the page. A headless browser has no place to show one, nor anybody to ask.
function fakeNotification(): void {
  const shownNotifications: string[] = []
  class FakeNotification {
    static permission = 'default'
    static requestPermission(): Promise<string> {
      FakeNotification.permission = 'granted'
      return Promise.resolve('granted')
    }
    onclick = null
    constructor(title: string, { body }: { body: string }) {
      shownNotifications.push(`${title}\n${body}`)
    }
    close(): void {}
  }
  Object.assign(globalThis, { shownNotifications, Notification: FakeNotification })
}
