import type { BrowserContext } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { startDemo } from '../examples/dashboard/demo-process.js'
import { launchBrowser } from './browser.js'
import { type DashboardPage, openTab } from './dashboard-page.js'
import { urlOf } from './demo.js'

it('[DEMO-32] no token is anywhere that a person looks, in a whole run', async () => {
  const demo = await startDemo(
    onTestFinished,
    '--pictures',
    '3',
    '--pace',
    '0',
    '--token-life',
    '4',
  )
  const url = await urlOf(demo)
  const browser = await launchBrowser()
  onTestFinished(() => browser.close())
  const context = await browser.newContext()
  const tokens = await collectTokens(context)
  const seen = collectWhatIsSeen(context)

  const tolerates = /401/
  const device = await openTab(context, `${url}/?device=MAC`, { tolerates })
  const other = await openTab(context, `${url}/?device=MAC`, { tolerates })
  await device.page.bringToFront()
  const { page, press, says, logs, signIn } = device
  const look = async () => {
    for (const { page } of [device, other] satisfies DashboardPage[]) {
      seen.push(page.url(), await page.title(), await page.content())
    }
    seen.push(await (await fetch(`${url}/demo/status`)).text())
  }
  await signIn()
  await says('Synced')
  await page.getByText('Processed 3 images').waitFor()
  await look()
  // A token of 4 s is renewed after 2 s: by itself, and sooner where the server wants another.
  await logs(/Token renewed.*Good for 4 s/s)
  await press('Expire the token')
  await logs('Reconnecting (1)…')
  await says('Synced')
  await press('Bad frame')
  await press('Newer types')
  await logs('STUDIO_WEATHER')
  await press('Cut the socket')
  await logs('broke off without a closing handshake')
  await says('Synced')
  await look()
  await page.reload()
  await says('Synced')
  await press('Revoke the sign-in')
  // The tab that hears of it first says so; the other, that somebody signed out.
  await page
    .getByText(/Your session has ended|You have signed out/)
    .first()
    .waitFor()
  await look()
  await signIn()
  await page.getByRole('radio', { name: 'staging' }).check()
  await signIn()
  await says('Synced')
  await look()
  await press('Sign out')
  await logs('The sign-in is revoked')
  await look()
  demo.interrupt()
  await demo.ended
  seen.push(demo.output, demo.errors)

  // Witnesses: tokens were made and renewed, and did travel; much was seen of every kind.
  const all = seen.join('\n')
  expect(tokens.size).toBeGreaterThan(7)
  for (const trace of [
    'Token renewed',
    '/ws?token=ada:MAC',
    '/link?code=',
    'STUDIO_WEATHER',
    '401',
  ])
    expect(all).toContain(trace)
  for (const token of tokens) {
    const [, claims = '', signature = ''] = token.split('.')
    expect(claims.length).toBeGreaterThan(20)
    expect(all).not.toContain(claims)
    expect(all).not.toContain(signature)
  }
})

/** Every token that any page of a profile ever keeps: what it is given, it stores first. */
async function collectTokens(context: BrowserContext): Promise<ReadonlySet<string>> {
  const tokens = new Set<string>()
  await context.exposeFunction('noteStored', (value: string) => {
    for (const [token] of value.matchAll(/[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}/g)) tokens.add(token)
  })
  await context.addInitScript(() => {
    const { noteStored } = globalThis as unknown as { noteStored: (value: string) => void }
    const { setItem } = Storage.prototype
    Storage.prototype.setItem = function (key, value) {
      noteStored(value)
      setItem.call(this, key, value)
    }
  })
  return tokens
}

/** Consoles, errors, and the addresses and frames of everything that any page opens. */
function collectWhatIsSeen(context: BrowserContext): string[] {
  const seen: string[] = []
  context.on('console', (message) => {
    seen.push(message.text(), message.location().url)
  })
  context.on('weberror', (error) => {
    seen.push(String(error.error()))
  })
  context.on('request', (request) => {
    seen.push(request.url())
  })
  context.on('page', (page) => {
    page.on('websocket', (socket) => {
      seen.push(socket.url())
      for (const way of ['framesent', 'framereceived'] as const) {
        socket.on(way as 'framesent', ({ payload }) => {
          seen.push(String(payload))
        })
      }
    })
    // The approval page, as it comes and as it answers.
    page.on('load', () => {
      void page.content().then(
        (content) => seen.push(content),
        () => undefined,
      )
    })
  })
  return seen
}
