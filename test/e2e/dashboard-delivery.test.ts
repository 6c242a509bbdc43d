import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type DashboardPage, openTab, shows } from './dashboard-page.js'
import { restartWorker, useDemo } from './demo.js'

const running = useDemo('--pictures', '3', '--pace', '0')
let profile: BrowserContext

beforeEach(async () => {
  profile = await running().browser.newContext({ viewport: { width: 1180, height: 900 } })
})

afterEach(async () => {
  await profile.close()
  await restartWorker(running().url)
})

/** What the panel says, in one look. */
type Panel = { line: string; owner: string; durable: string; depth: string; queued: string }

const look = (page: Page): Promise<Panel> =>
  page.evaluate(() => {
    const part = (name: string) =>
      document.querySelector<HTMLElement>(`[data-test="${name}"]`)?.innerText ?? ''
    const [line, owner, durable] = [part('line'), part('owner'), part('durable')]
    return { line, owner, durable, depth: part('depth'), queued: part('queued') }
  })

/** Each receipt on the screen: steps of the shoot, and what became of it. */
const receipts = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('[data-test="receipt"]')].map((row) => {
      const [, count, outcome] = [...row.children].map((child) => (child as HTMLElement).innerText)
      return `${count} ${outcome}`
    }),
  )

const count = (page: Page, name: string): Promise<number> =>
  page.evaluate(
    (of) => Number(document.querySelector<HTMLElement>(`[data-count="${of}"]`)?.innerText),
    name,
  )

/** Waits until the panel says these things. */
const tells = ({ page }: DashboardPage, panel: Partial<Panel>) =>
  shows(
    () => look(page),
    (seen) => expect(seen).toMatchObject(panel),
  )

const has = ({ page }: DashboardPage, expected: readonly string[]) =>
  shows(
    () => receipts(page),
    (seen) => expect(seen).toEqual(expected),
  )

/** Waits until these, in any order, are the made-up shoots of a device on the screen. */
const showsRolls = ({ shoots }: DashboardPage, expected: readonly string[], device = 'MAC') =>
  shows(shoots, (seen) => {
    const rolls = Object.entries(seen).filter(([id]) => id.startsWith(`${device}/`))
    expect(rolls.map(([, status]) => status).sort()).toEqual(expected)
  })

/** A device's dashboard, connected, which sends for itself. */
async function open(device = 'MAC') {
  const dashboard = await openTab(profile, `${running().url}/?device=${device}`, {
    tolerates: /500/,
  })
  await dashboard.signIn()
  await dashboard.says('Synced')
  await tells(dashboard, { line: 'live', owner: 'This tab sends', depth: '0', queued: '' })
  return dashboard
}

it('[DEMO-34] [DEMO-35] queues while offline, and delivers once back', async () => {
  const mac = await open()
  const { page, press, says } = mac
  await press('Report a shoot')
  await has(mac, ['1/5 delivered'])
  await press('Report no name')
  await has(mac, ['1/5 refused: no-shoot-id', '1/5 delivered'])
  const resumes = await count(page, 'Resumes')

  await press('Stop the server')
  await says(/Reconnecting/)
  await tells(mac, { line: 'offline', queued: '' })
  await press('Report a shoot')
  await tells(mac, { queued: '1 operation queued', depth: '1' })
  await press('Report a shoot')
  await press('Report its progress')
  await tells(mac, { queued: '2 operations queued', durable: 'survives a reload' })
  const before = ['1/5 refused: no-shoot-id', '1/5 delivered']
  const waiting = ['2/5 waiting, kept', '1/5 replaced by a later one', '1/5 waiting, kept']
  await has(mac, [...waiting, ...before])

  await press('Start the server')
  await says('Synced')
  const settled = ['2/5 delivered', '1/5 replaced by a later one', '1/5 delivered']
  await has(mac, [...settled, ...before])
  await tells(mac, { line: 'live', depth: '0', queued: '' })
  expect(await count(page, 'Resumes')).toBeGreaterThan(resumes)
  // The server's echo of each: nothing was said that was replaced.
  await showsRolls(mac, ['processing 1/5', 'processing 1/5', 'processing 2/5'])
  expect(mac.complaints).toEqual([])
})

it('[DEMO-35] takes back what waits, and sends nothing of it', async () => {
  const mac = await open('IPAD')
  await mac.press('Disconnect')
  await mac.says('Offline')
  await mac.press('Report a shoot')
  await tells(mac, { queued: '1 operation queued' })
  await mac.press('Take back')
  await has(mac, ['1/5 taken back'])
  await tells(mac, { depth: '0', queued: '' })
  await mac.press('Connect')
  await mac.says('Synced')
  await tells(mac, { line: 'live' })
  await mac.press('Report a shoot')
  await has(mac, ['1/5 delivered', '1/5 taken back'])
  await showsRolls(mac, ['processing 1/5'], 'IPAD')
})

it('[DEMO-36] keeps what waits over a reload, and apart by environment', async () => {
  const mac = await open()
  await mac.press('Stop the server')
  await mac.says(/Reconnecting/)
  await mac.press('Report a shoot')
  await has(mac, ['1/5 waiting, kept'])
  const roll = await mac.page.locator('[data-test="receipt"]').getAttribute('data-shoot')
  await mac.page.reload()
  await mac.says(/Connecting|Reconnecting/)
  await tells(mac, { queued: '1 operation queued', owner: 'This tab sends' })
  await has(mac, ['1/5 waiting, not from this page'])

  await mac.page.getByRole('radio', { name: 'staging' }).check()
  await mac.signIn()
  await mac.says('Synced')
  await tells(mac, { line: 'live', depth: '0' })
  expect(Object.keys(await mac.shoots())).not.toContain(roll)
  await mac.page.getByRole('radio', { name: 'development' }).check()
  await tells(mac, { queued: '1 operation queued' })
  await mac.press('Start the server')
  await mac.says('Synced')
  await tells(mac, { depth: '0' })
  await shows(mac.shoots, (shoots) => {
    expect(Object.entries(shoots)).toContainEqual([roll, 'processing 1/5'])
  })
})

it('[DEMO-36] is one queue for two tabs, of which one sends', async () => {
  const first = await open('PHONE')
  const second = await openTab(profile, `${running().url}/?device=PHONE`)
  await second.says('Synced')
  await tells(second, { owner: 'Another tab sends', line: 'live' })
  await second.press('Report a shoot')
  await has(second, ['1/5 delivered'])

  await first.press('Stop the server')
  await second.says(/Reconnecting/)
  await second.press('Report a shoot')
  await tells(second, { queued: '1 operation queued' })
  await tells(first, { queued: '1 operation queued' })
  await has(first, ['1/5 waiting, not from this page'])
  await first.page.close()
  await tells(second, { owner: 'This tab sends', queued: '1 operation queued' })
  await second.press('Start the server')
  await second.says('Synced')
  await has(second, ['1/5 delivered', '1/5 delivered'])
})
