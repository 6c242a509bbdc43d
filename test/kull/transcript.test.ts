import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createDevice } from './create-device.js'

interface Entry {
  /** Milliseconds since the recording began. */
  readonly at: number
  readonly device: string
  readonly dir: 'open' | 'in' | 'out' | 'close'
  readonly frame: string | null
}

const recording = readFileSync(
  new URL('../fixtures/deployed-server.jsonl', import.meta.url),
  'utf8',
)
const entries = recording
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Entry)

/** Plays what one client of the recording was sent, at the times it was sent. */
function replay(name: string) {
  const device = createDevice()
  for (const { at, device: whose, dir, frame } of entries) {
    if (whose !== name) continue
    device.clock.advanceTo(at)
    if (dir === 'open') device.open()
    if (dir === 'close') device.drop()
    if (dir === 'in' && frame !== null) device.hearText(frame)
  }
  return device
}

const web = 'web-1795423137127-fr9p1'
const shoots = [
  {
    shootId: 'shoot-1',
    status: 'completed',
    processedCount: 100,
    totalCount: 100,
    currentImage: 'IMG_2005.jpg',
    eta: 0,
    provider: 'gpt-5-nano',
    errorMessage: undefined,
    progress: 1,
  },
  {
    shootId: 'shoot-2',
    status: 'failed',
    processedCount: 7,
    totalCount: 40,
    currentImage: undefined,
    eta: undefined,
    provider: 'Replicate',
    errorMessage: 'provider timed out',
    progress: 0.175,
  },
]
const prompt = { promptId: 'prompt_789', action: 'voted' }
const credit = { userId: 'user-123', newBalance: 480, change: -20, reason: '' }
const everything = {
  shoots,
  creditBalance: 480,
  lastCreditUpdate: credit,
  lastPromptChange: prompt,
}
const nothing = { shoots: [], creditBalance: 0, lastCreditUpdate: undefined }

describe('the recorded session with the deployed server', () => {
  it('[SCH-9] has five clients that were let in, and the frames they were sent', () => {
    const heard = entries.filter(({ dir }) => dir === 'in')
    expect(new Set(heard.map(({ device }) => device))).toEqual(
      new Set(['mac', 'phone', 'web', 'stranger', 'phone-again', 'phone-twice']),
    )
    expect(heard.length).toBeGreaterThan(40)
  })

  it.each([
    ['mac', 1],
    ['phone', 0],
    ['web', 1],
    ['stranger', 0],
    ['phone-again', 0],
    ['phone-twice', 0],
  ])('[SCH-9] holds no frame that %s could not read', (name, pongs) => {
    const device = replay(name)
    const sent = entries.filter((entry) => entry.device === name && entry.dir === 'in')
    expect(device.messages).toHaveLength(sent.length)
    expect(device.invalid).toEqual([])
    expect(device.unknown).toEqual([])
    expect(device.errors).toEqual([])
    expect(device.pongs()).toBe(pongs)
  })

  it.each([
    // Of the phone's three sockets the first and the second have closed, the third was open.
    ['mac', { ...everything, own: 'DEVICE-MAC', devices: ['DEVICE-MAC', web, 'DEVICE-PHONE'] }],
    ['phone', { ...everything, own: 'DEVICE-PHONE', devices: ['DEVICE-PHONE', web] }],
    // It was not told of the mac, nor at first of the phone: they were there before it.
    ['web', { ...everything, own: web, devices: [web, 'DEVICE-PHONE'] }],
    ['stranger', { ...nothing, lastPromptChange: prompt, own: 'DEVICE-X', devices: ['DEVICE-X'] }],
    ['phone-again', { ...nothing, own: 'DEVICE-PHONE', devices: ['DEVICE-PHONE'] }],
    // The phone's older socket closed late, and this one was told so.
    ['phone-twice', { ...nothing, own: 'DEVICE-PHONE', devices: ['DEVICE-PHONE'] }],
  ])(
    '[KULL-18] leaves %s with the state that it should',
    (name, { shoots, own, devices, ...rest }) => {
      const device = replay(name)
      const state = device.state()
      expect([...state.activeShootProgress.values()]).toEqual(shoots)
      expect(state).toMatchObject({ ...rest, ownDeviceId: own })
      // Every client's socket closes at the end of the recording.
      expect(device.devices()).toEqual(devices.map((id) => `${id}?`))
      device.clock.advance(5_000)
      expect(device.state().activeShootProgress.size).toBe(0)
    },
  )

  it('[KULL-18] shows the phone with one socket to the mac before the end', () => {
    const device = createDevice()
    for (const { at, device: name, dir, frame } of entries) {
      if (name !== 'mac' || at > 1_500) continue
      if (dir === 'open') device.open()
      if (dir === 'in' && frame !== null) device.hearText(frame)
    }
    const phone = device.state().connectedDevices.get('DEVICE-PHONE')
    expect(phone).toMatchObject({ sockets: 1, isConfirmed: true, connectedAt: 1795423137961 })
  })
})
