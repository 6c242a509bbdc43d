import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Presence } from '../../src/server/presence.js'

const phone = { userId: 'ada', deviceId: 'phone' }
const laptop = { userId: 'ada', deviceId: 'laptop' }

describe('presence', () => {
  it('[SRV-12] tells the other devices of a socket, not other sockets of its own device', () => {
    const presence = new Presence<string>()
    expect(presence.join(laptop, 'laptop-1')).toEqual([])
    expect(presence.join(phone, 'phone-1')).toEqual(['laptop-1'])
    expect(presence.join(phone, 'phone-2')).toEqual(['laptop-1'])
    expect(presence.join(laptop, 'laptop-2')).toEqual(['phone-1', 'phone-2'])
    expect(presence.join({ userId: 'bob', deviceId: 'phone' }, 'bob-1')).toEqual([])
  })

  it('[SRV-14] signs a device off once for each time it was announced since it was away', () => {
    const presence = new Presence<string>()
    presence.join(laptop, 'laptop-1')
    presence.join(phone, 'phone-1')
    presence.join(phone, 'phone-2')
    expect(presence.leave(phone, 'phone-1')).toBeUndefined()
    presence.join(phone, 'phone-3')
    expect(presence.leave(phone, 'phone-3')).toBeUndefined()
    expect(presence.leave(phone, 'phone-2')).toEqual({ times: 3, audience: ['laptop-1'] })
    presence.join(phone, 'phone-4')
    expect(presence.leave(phone, 'phone-4')).toEqual({ times: 1, audience: ['laptop-1'] })
  })

  it('[SRV-13] knows nothing of a socket that already left', () => {
    const presence = new Presence<string>()
    presence.join(laptop, 'laptop-1')
    presence.join(phone, 'phone-1')
    expect(presence.leave(phone, 'phone-1')).toBeDefined()
    expect(presence.leave(phone, 'phone-1')).toBeUndefined()
    expect(presence.leave({ userId: 'bob', deviceId: 'phone' }, 'phone-1')).toBeUndefined()
    expect(presence.users()).toEqual(['ada'])
  })

  // The model keeps no counts: it writes down who heard what, and every client counts for itself.
  it('[SRV-14] leaves clients that count announcements with who is really there', () => {
    const step = fc.record({
      device: fc.nat({ max: 3 }),
      user: fc.nat({ max: 1 }),
      joins: fc.boolean(),
      which: fc.nat(),
    })
    let departures = 0
    let repeated = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
        const presence = new Presence<number>()
        const sockets = new Map<number, { userId: string; deviceId: string }>()
        const heard = new Map<number, Map<string, number>>()
        let next = 0
        const hear = (who: Iterable<number>, deviceId: string, change: number) => {
          for (const socket of who) {
            const counts = heard.get(socket)!
            counts.set(deviceId, Math.max(0, (counts.get(deviceId) ?? 0) + change))
          }
        }
        for (const { device, user, joins, which } of steps) {
          if (joins) {
            const identity = { userId: `user-${user}`, deviceId: `device-${device}` }
            next += 1
            heard.set(next, new Map())
            hear([next, ...presence.join(identity, next)], identity.deviceId, 1)
            sockets.set(next, identity)
          } else if (sockets.size > 0) {
            const [socket, identity] = [...sockets][which % sockets.size]!
            sockets.delete(socket)
            const departure = presence.leave(identity, socket)
            if (departure === undefined) continue
            departures += 1
            if (departure.times > 1) repeated += 1
            for (let time = 0; time < departure.times; time += 1) {
              hear(departure.audience, identity.deviceId, -1)
            }
          }
          for (const [socket, { userId, deviceId }] of sockets) {
            const there = new Set(
              [...sockets.values()]
                .filter((other) => other.userId === userId)
                .map((other) => other.deviceId),
            )
            for (const [other, count] of heard.get(socket)!) {
              // Its own device is not announced anew to a socket, so only others are told apart.
              if (other !== deviceId) expect(count > 0).toBe(there.has(other))
            }
          }
          expect([...presence.users()].sort()).toEqual(
            [...new Set([...sockets.values()].map(({ userId }) => userId))].sort(),
          )
          expect(presence.deviceCount).toBe(
            new Set([...sockets.values()].map(({ userId, deviceId }) => `${userId}/${deviceId}`))
              .size,
          )
        }
      }),
      { numRuns: 300 },
    )
    expect(departures).toBeGreaterThan(100)
    expect(repeated).toBeGreaterThan(100)
  })
})
