import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDevice } from './create-device.js'

function connect(device: ReturnType<typeof createDevice>, own = 'me'): void {
  device.open()
  device.hear('DEVICE_CONNECTED', { deviceId: own, timestamp: 1_000 })
}

describe('connected devices', () => {
  it('[KULL-13] has one entry per device, with what the server said of it', () => {
    const device = createDevice()
    connect(device)
    const phone = { deviceId: 'phone', platform: 'iOS', deviceName: 'Ada’s phone' }
    device.hear('DEVICE_CONNECTED', { ...phone, connectedAt: 123 })
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone', timestamp: 2_000 })
    device.hear('DEVICE_CONNECTED', { deviceId: 'pad', connectedAt: '2026-11-23T18:00:00Z' })
    device.hear('DEVICE_CONNECTED', { deviceId: 'web', connectedAt: 'yesterday' })
    const { connectedDevices } = device.state()
    expect([...connectedDevices.values()]).toEqual([
      entry('me', { connectedAt: 1_000 }),
      entry('phone', { ...phone, connectedAt: 123, sockets: 2 }),
      entry('pad', { connectedAt: Date.UTC(2026, 10, 23, 18) }),
      entry('web', { connectedAt: 1_000 }),
    ])
  })

  it('[KULL-13] takes the time of the message where nothing else tells', () => {
    const device = createDevice()
    device.hear('DEVICE_CONNECTED', { deviceId: 'pad' })
    device.hearText('{"type":"DEVICE_CONNECTED","data":{"deviceId":"bare"}}')
    const times = [...device.state().connectedDevices.values()].map((one) => one.connectedAt)
    expect(times).toEqual([1_000, undefined])
  })

  it('[KULL-14] lets a device go with the last of its sockets', () => {
    const device = createDevice()
    connect(device)
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    device.hear('DEVICE_DISCONNECTED', { deviceId: 'phone' })
    expect(device.devices()).toEqual(['me', 'phone'])
    device.hear('DEVICE_DISCONNECTED', { deviceId: 'phone' })
    expect(device.devices()).toEqual(['me'])
  })

  it('[KULL-14] ignores the end of a device that it never heard of', () => {
    const device = createDevice()
    connect(device)
    const before = device.state()
    device.hear('DEVICE_DISCONNECTED', { deviceId: 'stranger' })
    expect(device.state()).toBe(before)
  })

  it('[KULL-15] learns its own id from the first announcement of each connection', () => {
    const device = createDevice()
    expect(device.state().ownDeviceId).toBeUndefined()
    connect(device, 'me')
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    expect(device.state().ownDeviceId).toBe('me')
    device.drop()
    expect(device.state().ownDeviceId).toBe('me')
    device.open()
    expect(device.state().ownDeviceId).toBeUndefined()
    device.hear('DEVICE_CONNECTED', { deviceId: 'other' })
    expect(device.state().ownDeviceId).toBe('other')
  })

  it('[KULL-15] never removes itself, however many older sockets of its own close', () => {
    const device = createDevice()
    connect(device)
    for (let n = 0; n < 3; n += 1) device.hear('DEVICE_DISCONNECTED', { deviceId: 'me' })
    expect(device.devices()).toEqual(['me'])
    expect(device.state().connectedDevices.get('me')?.sockets).toBe(1)
    device.hear('DEVICE_CONNECTED', { deviceId: 'me' })
    device.hear('DEVICE_DISCONNECTED', { deviceId: 'me' })
    expect(device.state().connectedDevices.get('me')?.sockets).toBe(1)
  })

  it('[KULL-16] keeps the devices unconfirmed through a drop, until each is announced anew', () => {
    const device = createDevice()
    connect(device)
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone', platform: 'iOS', connectedAt: 5 })
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    device.hear('DEVICE_CONNECTED', { deviceId: 'pad' })
    device.drop()
    expect(device.devices()).toEqual(['me?', 'phone?', 'pad?'])
    connect(device)
    expect(device.devices()).toEqual(['me', 'phone?', 'pad?'])
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone', timestamp: 7_000 })
    expect(device.state().connectedDevices.get('phone')).toEqual(
      entry('phone', { platform: 'iOS', connectedAt: 7_000 }),
    )
    device.clock.advance(59_999)
    expect(device.devices()).toEqual(['me', 'phone', 'pad?'])
    device.clock.advance(1)
    expect(device.devices()).toEqual(['me', 'phone'])
  })

  it('[KULL-16] forgets its counts with a drop: one end removes an unconfirmed device', () => {
    const device = createDevice()
    connect(device)
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    device.hear('DEVICE_CONNECTED', { deviceId: 'phone' })
    device.drop()
    connect(device)
    device.hear('DEVICE_DISCONNECTED', { deviceId: 'phone' })
    expect(device.devices()).toEqual(['me'])
  })

  it('[KULL-17] drops the made-up device of a web session when the next connection opens', () => {
    const device = createDevice()
    connect(device, 'web-1795423137127-fr9p1')
    device.hear('DEVICE_CONNECTED', { deviceId: 'web-1795423137999-other' })
    device.drop()
    expect(device.devices()).toEqual(['web-1795423137127-fr9p1?', 'web-1795423137999-other?'])
    connect(device, 'web-1795423200000-abcde')
    expect(device.devices()).toEqual(['web-1795423137999-other?', 'web-1795423200000-abcde'])
  })

  it('[KULL-14] [KULL-15] agrees with any server that announces every socket, or the last alone', () => {
    const witnessed = { several: 0, left: 0, ownClosed: 0 }
    const id = fc.constantFrom('me', 'phone', 'pad', 'web-1')
    const step = fc.record({ id, op: fc.constantFrom('opens', 'opens', 'closes') })
    fc.assert(
      fc.property(
        fc.array(step, { size: 'max', maxLength: 100 }),
        fc.constantFrom('each', 'last'),
        (steps, announces) => {
          const device = createDevice()
          connect(device)
          // Open sockets by device; our own first one is not among those that close.
          const sockets = new Map([['me', 1]])
          const announced = new Map<string, number>()
          for (const { id: deviceId, op } of steps) {
            const open = sockets.get(deviceId) ?? 0
            if (op === 'opens') {
              sockets.set(deviceId, open + 1)
              announced.set(deviceId, (announced.get(deviceId) ?? 0) + 1)
              if (open > 0) witnessed.several += 1
              // A second socket of ours is not announced to the first.
              if (deviceId !== 'me') device.hear('DEVICE_CONNECTED', { deviceId })
            } else if (open > (deviceId === 'me' ? 1 : 0)) {
              sockets.set(deviceId, open - 1)
              if (deviceId === 'me') witnessed.ownClosed += 1
              else if (open === 1) witnessed.left += 1
              const ends =
                announces === 'each' ? 1 : open === 1 ? (announced.get(deviceId) ?? 0) : 0
              if (open === 1) announced.delete(deviceId)
              for (let n = 0; n < ends; n += 1) device.hear('DEVICE_DISCONNECTED', { deviceId })
            }
            const there = [...sockets].filter(([, count]) => count > 0).map(([name]) => name)
            expect(new Set(device.devices())).toEqual(new Set(there))
            expect(device.state().ownDeviceId).toBe('me')
          }
        },
      ),
      { numRuns: 100 },
    )
    for (const count of Object.values(witnessed)) expect(count).toBeGreaterThan(40)
  })
})

function entry(deviceId: string, rest: object = {}) {
  return {
    deviceId,
    platform: undefined,
    deviceName: undefined,
    connectedAt: undefined,
    sockets: 1,
    isConfirmed: true,
    ...rest,
  }
}
