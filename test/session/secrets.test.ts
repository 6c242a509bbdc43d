import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import type { InspectionEvent } from 'xstate'
import * as z from 'zod/mini'
import { createSyncClient } from '../../src/client.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createSession, type Session } from '../../src/session/session.js'
import { createWebStore } from '../../src/storage/browser.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import { createRecorder } from '../../src/testing/recorder.js'
import { createFakeOrigin } from '../storage/fake-browser.js'
import { CANARY, createFakeServer, grace, network } from './fake-server.js'
import { createTestSession, inTime } from './harness.js'

/** Writes everything down that an object holds, as far as anyone could print it. */
function print(value: unknown): string {
  return inspect(value, { depth: 8, showHidden: true, maxArrayLength: null })
}

const protocol = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }) },
  send: { SAY: z.object({ text: z.string() }) },
  credentials: {
    schema: z.object({ userId: z.string(), accessToken: z.string() }),
    apply({ url, protocols }, { userId, accessToken }) {
      url.searchParams.set('user', userId)
      protocols.push('sync', accessToken)
    },
  },
})

describe('[SESS-17] tokens', () => {
  it('are in no status, error, event, snapshot, inspector or console of a whole run', async () => {
    const clock = createManualClock()
    const server = createFakeServer({ clock, rotates: true })
    const origin = createFakeOrigin()
    const seen: string[] = []
    const consoles = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation((...args) => {
        seen.push(print(args))
      }),
    )
    const counts = { events: 0, snapshots: 0 }
    const tab = () => {
      const parts = origin.openTab()
      let fails = 0
      const store = createWebStore({ ...parts, locks: origin.locks, clock })
      // What a store or an API throws may repeat what it was given.
      const set = store.set.bind(store)
      store.set = (key, value) => {
        fails += 1
        return fails === 1 ? Promise.reject(new Error(`cannot store ${value}`)) : set(key, value)
      }
      return createTestSession({
        clock,
        server,
        store,
        onError: (error) => seen.push(print(error)),
        inspect: (event) => {
          if (event.type === '@xstate.event') {
            counts.events += 1
            seen.push(JSON.stringify(event.event))
          }
          if (event.type === '@xstate.snapshot') {
            counts.snapshots += 1
            // What a recorder would keep: the snapshot as data, children and all.
            seen.push(JSON.stringify(event.snapshot), JSON.stringify(event.event))
          }
        },
      })
    }
    const [first, second] = [tab(), tab()]
    for (const { session } of [first, second]) {
      session.subscribe((status) => seen.push(print(status)))
    }

    await second.start()
    await first.signIn()
    expect(JSON.stringify((await first.store.get('session')) ?? '')).toBe('""')
    await inTime(clock, first.session.credentials())
    server.mishap('renew', 'throws', network, 'hangs')
    await clock.advanceAsync(3 * 3_600_000)
    expect(await first.store.get('session')).toContain(CANARY)
    expect(second.session.status.state).toBe('signedIn')
    const failure = { code: 'refused', status: 401, message: 'No.' } as const
    const refused = () => Promise.resolve({ ok: false, failure } as const)
    await inTime(clock, first.session.authorized(refused))
    await clock.advanceAsync(1_000)
    expect(first.session.status.state).toBe('signedOut')
    first.session.signIn()
    server.mishap('checkLink', 'throws')
    await clock.advanceAsync(1_000)
    server.approve(grace)
    await clock.advanceAsync(5_000)
    expect(second.session.status).toMatchObject({ user: { id: 'u2' } })
    server.mishap('revoke', 'throws')
    await second.session.signOut()
    await clock.advanceAsync(60_000)
    expect(first.session.status).toMatchObject({ reason: 'elsewhere' })
    await expect(first.session.credentials()).rejects.toSatisfy((error) => {
      seen.push(print(error))
      return true
    })
    for (const { session } of [first, second]) {
      seen.push(print(session))
      session.dispose()
    }
    for (const spy of consoles) spy.mockRestore()

    // Witnesses: much was seen, failures of each kind among it, and many tokens were made.
    expect(counts.events).toBeGreaterThan(30)
    expect(counts.snapshots).toBeGreaterThan(30)
    const all = seen.join('\n')
    for (const code of ['api-threw', 'storage-failed', 'not-signed-in']) expect(all).toContain(code)
    expect(server.count('renew')).toBeGreaterThan(3)
    expect(all).not.toContain(CANARY)
  })

  it('are in no recording, event, error or snapshot of a sync that connects with them', async () => {
    const clock = createManualClock()
    const server = createFakeServer({ clock })
    const transport = createFakeTransport({ clock, protocol })
    const recorder = createRecorder({ clock })
    const seen: string[] = []
    const inspect = (event: InspectionEvent) => {
      if (event.type === '@xstate.event') seen.push(JSON.stringify(event.event))
      if (event.type === '@xstate.snapshot') seen.push(JSON.stringify(event.snapshot))
    }
    const sync = createSyncClient(protocol, {
      url: 'wss://sync.test',
      credentials: (attempt): ReturnType<Session['credentials']> => session.credentials(attempt),
      transport,
      clock,
      inspect,
      onError: recorder.onError,
    })
    const recording = recorder.record(sync)
    const session = createSession({
      api: server.api,
      store: createMemoryStore(),
      device: { deviceName: 'Test', platform: 'web', appVersion: '1.0.0' },
      sync,
      clock,
      inspect,
      onError: recorder.onError,
    })

    session.start()
    await clock.advanceAsync(0)
    session.signIn()
    await clock.advanceAsync(0)
    transport.peer.onAttempt(2).refuses(4401)
    server.approve()
    await clock.advanceAsync(1_000)
    expect(sync.status.state).toBe('connected')
    transport.peer.sends('SAID', { text: 'hello' })
    server.mishap('renew', 'throws', network)
    clock.jump(3_600_000)
    transport.peer.drops()
    await clock.advanceAsync(60_000)
    expect(sync.status.state).toBe('connected')
    server.forgetEveryone()
    await clock.advanceAsync(3_600_000)
    expect(session.status).toMatchObject({ reason: 'revoked' })
    seen.push(print(recording.entries), print(sync), print(sync.getSnapshot()))
    session.dispose()
    sync.dispose()

    // Witnesses: tokens did travel, with several attempts, and each kind of thing was recorded.
    const travelled = transport.attempts.map(({ protocols }) => String(protocols))
    expect(new Set(travelled).size).toBeGreaterThan(1)
    for (const protocols of travelled) expect(protocols).toContain(CANARY)
    expect(recording.values('message')).toMatchObject([{ data: { text: 'hello' } }])
    expect(recording.values('status').length).toBeGreaterThan(5)
    expect(transport.attempts.map(({ url }) => url).join()).not.toContain(CANARY)
    const all = seen.join('\n')
    for (const code of ['api-threw', 'provider-rejected']) expect(all).toContain(code)
    expect(all).not.toContain(CANARY)
  })
})
