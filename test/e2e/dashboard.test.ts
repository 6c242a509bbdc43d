import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { createSyncClient } from 'statewire'
import { kull } from 'statewire/kull'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { root } from '../../scripts/lib/run.mjs'
import { openDashboard, type OpenOptions, shows } from './dashboard-page.js'
import { restartWorker, useDemo } from './demo.js'

const pictures = 24

const running = useDemo('--pictures', String(pictures), '--pace', '300')
type Profile = Awaited<ReturnType<BrowserContext['storageState']>>
const profiles = new Map<string, Profile>()

// A test that fails half-way must not leave the next one without a server.
afterEach(async () => {
  running().demo.thaw()
  await restartWorker(running().url)
})

/** The browser storage of a signed-in device. Each device signs in once for all tests. */
async function profileOf(device: string): Promise<Profile> {
  const known = profiles.get(device)
  if (known !== undefined) return known
  const { page, signIn } = await openDashboard(
    running().browser,
    `${running().url}/?device=${device}`,
  )
  await signIn()
  const profile = await page.context().storageState()
  await page.context().close()
  profiles.set(device, profile)
  return profile
}

/** A signed-in device's dashboard, which must not have complained by the end of the test. */
async function open(
  device: string,
  { query = '', ...options }: OpenOptions & { query?: string } = {},
) {
  const storageState = await profileOf(device)
  const dashboard = await openDashboard(
    running().browser,
    `${running().url}/?device=${device}${query}`,
    {
      storageState,
      ...options,
    },
  )
  onTestFinished(async () => {
    await dashboard.page.context().close()
    expect(dashboard.complaints).toEqual([])
  })
  return dashboard
}

it('[DEMO-8] [DEMO-3] [DEMO-4] two pages show the same while the worker is at work', async () => {
  const size = { viewport: { width: 1180, height: 1060 }, deviceScaleFactor: 1 }
  const mac = await open('studio-mac', { ...size, colorScheme: 'light' })
  await mac.says('Synced')
  // The first device to connect has started it.
  await mac.page.getByText('At work in development.').waitFor()
  const ipad = await open('travel-ipad', { ...size, colorScheme: 'dark' })
  await ipad.says('Synced')
  await mac.page.getByText(`Processed ${pictures} images`).waitFor()
  await shows(ipad.credits, (credits) => expect(credits).toBe(500 - pictures))
  await shows(ipad.shoots, (shoots) => expect(shoots).toEqual({}))

  await ipad.press('Run the worker')
  const both = async () => {
    const [onMac, onIpad, devices] = await Promise.all([mac.shoots(), ipad.shoots(), mac.devices()])
    return { onMac, onIpad, devices }
  }
  await shows(both, ({ onMac, onIpad, devices }) => {
    expect(onMac).toEqual(onIpad)
    expect(Object.values(onMac)).toContainEqual(
      expect.stringMatching(/^processing \d+\/8 ETA: \d+s$/),
    )
    expect(devices).toEqual(['studio-mac', 'travel-ipad', 'photo-worker'])
  })
  if (process.env['SCREENSHOT']) {
    await shows(mac.shoots, (shoots) => expect(Object.values(shoots)[1]).toMatch(/^processing/))
    await mac.press('Report a shoot')
    await mac.page.getByText('delivered', { exact: true }).waitFor()
    await mac.page.screenshot({ path: join(root, 'docs/images/dashboard.png') })
    // Done, it leaves the list as the others do.
    for (let step = 2; step <= 5; step++) await mac.press('Report its progress')
  }

  await mac.page.getByText(`Processed ${pictures} images`).waitFor()
  await shows(both, ({ onMac, onIpad }) => {
    expect(onMac).toEqual(onIpad)
    expect(onMac).toMatchObject({ 'photos/orchard': 'completed 8/8' })
  })
  for (const { credits } of [mac, ipad]) {
    await shows(credits, (seen) => expect(seen).toBe(500 - 2 * pictures))
  }
  const devices = ['studio-mac', 'travel-ipad']
  await shows(both, (seen) => expect(seen).toEqual({ onMac: {}, onIpad: {}, devices }))
})

describe('the banner', () => {
  it('[DEMO-1] says Offline, Connecting… and Synced', async () => {
    const { says, said, press, text } = await open('MAC')
    await says('Synced')
    await press('Disconnect')
    await says('Offline')
    running().demo.freeze()
    await press('Connect')
    await says('Connecting…')
    running().demo.thaw()
    await says('Synced')
    expect((await said()).slice(-3)).toEqual(['Offline', 'Connecting…', 'Synced'])
    await shows(
      () => text('last-sync'),
      (lastSync) => expect(lastSync).toMatch(/^Last sync: [2-9]s ago$/),
    )
  })

  it('[DEMO-1] [DEMO-15] says Reconnecting (2)… while the server is away, and Synced again', async () => {
    const { says, said, press, page, devices } = await open('MAC')
    await says('Synced')
    await press('Stop the server')
    await shows(said, (heard) => expect(heard).toContain('Reconnecting (2)…'))
    expect(await devices()).toContain('MAC?')
    await page
      .getByText(/The server could not be reached\. Next attempt in \d+s\./)
      .first()
      .waitFor()
    await press('Start the server')
    await says('Synced')
    await shows(devices, (seen) => expect(seen).toContain('MAC'))
    const heard = await said()
    const start = heard.indexOf('Synced')
    expect(heard.slice(start, start + 3)).toEqual([
      'Synced',
      'Reconnecting (1)…',
      'Reconnecting (2)…',
    ])
    expect(heard.filter((words) => words === 'Synced')).toHaveLength(2)
  })

  it('[DEMO-1] says Failed when every attempt has failed, and connects when told to', async () => {
    const { says, said, press, page } = await open('MAC', {
      prepare: (page) => page.clock.install(),
    })
    await says('Synced')
    await press('Stop the server')
    // The ladder of Kull takes 303 s, which the page's own clock need not.
    await shows(
      async () => {
        await page.clock.runFor(60_000)
        return said()
      },
      (heard) => expect(heard.slice(-2)).toEqual(['Reconnecting (10)…', 'Failed']),
    )
    await says('Failed')
    await page
      .getByText('Max reconnection attempts reached. Connect to try again.')
      .first()
      .waitFor()
    await press('Start the server')
    await page.getByRole('button', { name: 'Stop the server' }).waitFor()
    await press('Connect')
    await says('Synced')
  })
})

describe('what hurts a connection', () => {
  it('[DEMO-13] a cut: this device reconnects, others notice nothing', async () => {
    const mac = await open('MAC')
    const phone = await open('PHONE')
    await mac.says('Synced')
    await phone.says('Synced')
    await mac.press('Cut the socket')
    await mac.logs('broke off without a closing handshake')
    await shows(mac.said, (said) => {
      expect(said.slice(said.indexOf('Synced'))).toEqual(['Synced', 'Reconnecting (1)…', 'Synced'])
    })
    expect((await phone.said()).at(-1)).toBe('Synced')
    expect(await phone.said()).not.toContain('Reconnecting (1)…')
  })

  it('[DEMO-14] silence: a missing pong tells', async () => {
    const { says, press, logs, said } = await open('MAC', { query: '&ping=1000&pong=1500' })
    await says('Synced')
    await press('Go silent')
    await logs(/Reconnecting \(1\)….*No sign of life/s)
    await shows(said, (heard) => {
      expect(heard.slice(heard.indexOf('Synced'))).toEqual([
        'Synced',
        'Reconnecting (1)…',
        'Synced',
      ])
    })
  })

  it('[DEMO-15] a restart: back on the same port, with the same account', async () => {
    const { says, press, logs, said, credits } = await open('MAC')
    await says('Synced')
    await shows(credits, (seen) => expect(seen).toBeGreaterThan(0))
    const before = await credits()
    await press('Restart the server')
    await logs('1001')
    await shows(said, (words) => expect(words.slice(-2)).toEqual(['Reconnecting (1)…', 'Synced']))
    expect(await credits()).toBe(before)
  })

  it('[DEMO-16] a bad frame and an unknown type: shown, and nothing ends', async () => {
    const { press, says, logs, said } = await open('MAC')
    await says('Synced')
    await press('Bad frame')
    await logs(/not-json.*"shootId":7/s)
    await press('Newer types')
    await logs(/STUDIO_WEATHER.*overcast/s)
    await logs(/PROMPT_CHANGE.*voted/s)
    await logs(/ADMIN_SESSION_UPDATE.*support-7/s)
    expect((await said()).at(-1)).toBe('Synced')
    expect(await said()).not.toContain('Reconnecting (1)…')
  })
})

it('[DEMO-17] [DEMO-7] moves to the other environment, and remembers it', async () => {
  const { says, page, credits, text, press, signIn } = await open('MAC')
  const isAt = (self: string) =>
    shows(
      () => text('self'),
      (seen) => expect(seen).toBe(self),
    )
  await says('Synced')
  await shows(credits, (seen) => expect(seen).toBe(500 - 2 * pictures))
  await page.getByRole('radio', { name: 'staging' }).check()
  await signIn()
  await says('Synced')
  await shows(credits, (seen) => expect(seen).toBe(500))
  await isAt('MAC · staging')

  await page.reload()
  await says('Synced')
  await isAt('MAC · staging')
  expect(await page.getByRole('radio', { name: 'staging' }).isChecked()).toBe(true)
  await page.goto(`${running().url}/?device=OTHER`)
  await signIn()
  await says('Synced')
  await isAt('OTHER · development')

  await press('Stop')
  await says('Offline')
  await shows(credits, (seen) => expect(seen).toBe(0))
  await page.getByRole('radio', { name: 'staging' }).check()
  await isAt('OTHER · staging')
  await says('Offline')
})

it('[DEMO-7] is the device that it was before, where its address names none', async () => {
  const { page, says, text } = await open('')
  await says('Synced')
  const device = await text('self')
  expect(device).toMatch(/^[0-9A-F-]{36} · development$/)
  await page.reload()
  await says('Synced')
  expect(await text('self')).toBe(device)
})

it('[DEMO-6] [DEMO-5] shows what came over the wire as text, however it looks', async () => {
  const hostile = '<img src=x onerror="document.title=\'owned\'"><b>bold</b>'
  const { says, page, shoots, devices, logs } = await open('MAC')
  await says('Synced')
  const sender = createSyncClient(kull, {
    url: await running().demo.prints(/ws:\S+/),
    credentials: { userId: 'ada', deviceId: hostile },
  })
  onTestFinished(() => sender.dispose())
  sender.status$.subscribe(({ state }) => {
    if (state !== 'connected') return
    sender.send('UPDATE_PROGRESS', {
      shootId: hostile,
      status: 'failed',
      progress: 0.5,
      errorMessage: hostile,
    })
  })
  sender.start()
  await shows(shoots, (seen) => expect(seen).toEqual({ [hostile]: 'failed 50%' }))
  await shows(devices, (seen) => expect(seen).toContain(hostile))
  await logs(hostile)
  await page.getByText(hostile).nth(2).waitFor()
  expect(await page.locator('img, b').count()).toBe(0)
  expect(await page.title()).toBe('Kull dashboard')
})

it('fits a small screen', async () => {
  const { says, page } = await open('MAC', { viewport: { width: 340, height: 700 } })
  await says('Synced')
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  expect(width).toBeLessThanOrEqual(340)
})
