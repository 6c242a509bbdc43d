import { describe, expect, it } from 'vitest'
import { createDevice } from './create-device.js'

const update = { userId: 'u', newBalance: 480, change: -20, reason: '' }

describe('credits', () => {
  it('[KULL-8] are 0 until known, then what the last update said', () => {
    const { hear, state } = createDevice()
    expect(state()).toMatchObject({ creditBalance: 0, lastCreditUpdate: undefined })
    hear('CREDIT_UPDATE', { ...update, newBalance: 500, change: 100, reason: 'Credit purchase' })
    hear('CREDIT_UPDATE', update)
    expect(state()).toMatchObject({ creditBalance: 480, lastCreditUpdate: update })
  })

  it('[KULL-9] are loaded at the start', async () => {
    const { coordinator, clock, state } = createDevice(() => ({ balance: 321, plan: 'pro' }))
    coordinator.send({ type: 'coordinator.start' })
    await clock.advanceAsync(0)
    expect(state()).toMatchObject({ creditBalance: 321, lastCreditUpdate: undefined })
  })

  it('[KULL-9] are what a live update said that came while they were loaded', async () => {
    const { coordinator, clock, state, hear } = createDevice(() => ({ balance: 321 }))
    coordinator.send({ type: 'coordinator.start' })
    hear('CREDIT_UPDATE', update)
    await clock.advanceAsync(0)
    expect(state().creditBalance).toBe(480)
  })

  it('[KULL-9] are loaded again after a reconnect', async () => {
    let balance = 10
    const device = createDevice(() => ({ balance }))
    device.coordinator.send({ type: 'coordinator.start' })
    device.open()
    await device.clock.advanceAsync(0)
    device.hear('CREDIT_UPDATE', update)
    device.drop()
    expect(device.state().creditBalance).toBe(480)
    balance = 5
    device.open()
    await device.clock.advanceAsync(0)
    expect(device.state()).toMatchObject({ creditBalance: 5, lastCreditUpdate: update })
  })
})

describe('the rest of the state', () => {
  it('[KULL-10] keeps the last prompt change', () => {
    const { hear, state } = createDevice()
    expect(state().lastPromptChange).toBeUndefined()
    hear('PROMPT_CHANGE', { promptId: 'p1', action: 'created' })
    hear('PROMPT_CHANGE', { promptId: 'p2', action: 'voted' })
    expect(state().lastPromptChange).toEqual({ promptId: 'p2', action: 'voted' })
  })

  it('[KULL-11] does not change with admin updates, pongs, and types nobody knows', () => {
    const device = createDevice()
    const before = device.state()
    device.hear('ADMIN_SESSION_UPDATE', { sessionId: 's', action: 'new_message' })
    device.hearText('{"type":"PONG","timestamp":5}', '{"type":"HOLOGRAM","data":{},"timestamp":6}')
    expect(device.state()).toBe(before)
    expect(device.messages.map(({ type }) => type)).toEqual(['ADMIN_SESSION_UPDATE', 'PONG'])
    expect(device.unknown.map(({ type }) => type)).toEqual(['HOLOGRAM'])
    expect([device.invalid, device.pongs()]).toEqual([[], 1])
  })

  it('[KULL-12] is cleared by a stop, and kept by a drop', () => {
    const device = createDevice()
    const before = device.state()
    device.open()
    device.hear('DEVICE_CONNECTED', { deviceId: 'me' })
    device.hear('CREDIT_UPDATE', update)
    device.hear('PROMPT_CHANGE', { promptId: 'p', action: 'updated' })
    device.hear('SHOOT_PROGRESS', { shootId: 'a', status: 'processing' })
    device.drop()
    expect(device.state()).toMatchObject({ creditBalance: 480, lastCreditUpdate: update })
    expect(device.state().activeShootProgress.size).toBe(1)
    expect(device.devices()).toEqual(['me?'])
    device.coordinator.send({ type: 'coordinator.stop' })
    expect(device.state()).toBe(before)
    expect(device.clock.pending.count).toBe(0)
  })
})

describe('a checkpoint', () => {
  const shoot = { shootId: 's1', status: 'processing', processedCount: 3, totalCount: 10 }

  function copy(from: ReturnType<typeof createDevice>): ReturnType<typeof createDevice> {
    const checkpoint: unknown = JSON.parse(JSON.stringify(from.folding.takeCheckpoint()))
    const to = createDevice()
    to.hear('DEVICE_CONNECTED', { deviceId: 'own' })
    expect(to.folding.restoreCheckpoint(checkpoint)).toBe(true)
    to.folding.commit()
    return to
  }

  it('[KULL-24] holds shoots, the last credit update and the last prompt change', () => {
    const from = createDevice()
    from.hear('SHOOT_PROGRESS', shoot)
    from.hear('SHOOT_PROGRESS', { shootId: 's2', status: 'processing', progress: 0.25 })
    from.hear('CREDIT_UPDATE', update)
    from.hear('PROMPT_CHANGE', { promptId: 'p1', action: 'created' })
    from.hear('DEVICE_CONNECTED', { deviceId: 'another' })
    const to = copy(from)
    expect([...to.state().activeShootProgress]).toEqual([...from.state().activeShootProgress])
    expect(to.state()).toMatchObject({
      creditBalance: 480,
      lastCreditUpdate: update,
      lastPromptChange: { promptId: 'p1', action: 'created' },
    })
    expect(to.devices()).toEqual(['own'])
  })

  it('[KULL-24] leaves a balance alone that its server has not seen', () => {
    const from = createDevice()
    from.hear('SHOOT_PROGRESS', shoot)
    const checkpoint = from.folding.takeCheckpoint()
    const to = createDevice()
    to.hear('CREDIT_UPDATE', update)
    expect(to.folding.restoreCheckpoint(JSON.parse(JSON.stringify(checkpoint)))).toBe(true)
    to.folding.commit()
    expect(to.state().creditBalance).toBe(480)
  })
})
