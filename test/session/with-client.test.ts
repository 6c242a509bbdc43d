import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import * as z from 'zod/mini'
import { createSyncClient } from '../../src/client.js'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { defineProtocol } from '../../src/schemas/protocol.js'
import { createSession, type Session } from '../../src/session/session.js'
import { createDatabaseStore } from '../../src/storage/database.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import type { KeyValueStore } from '../../src/storage/store.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFakeTransport } from '../../src/testing/fake-transport.js'
import type { SyncError } from '../../src/base/errors.js'
import { ada, createFakeServer, network } from './fake-server.js'

const protocol = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }) },
  send: { SAY: z.object({ text: z.string() }) },
  credentials: {
    schema: z.object({ userId: z.string(), deviceId: z.string(), accessToken: z.string() }),
    apply({ headers }, { userId, deviceId, accessToken }) {
      headers['authorization'] = `Bearer ${accessToken}`
      headers['x-device'] = `${userId}:${deviceId}`
    },
  },
})

/** A real client on a fake network, driven by a real session. */
function create({ store = createMemoryStore() }: { readonly store?: KeyValueStore } = {}) {
  const clock = createManualClock()
  const server = createFakeServer({ clock })
  const transport = createFakeTransport({ clock, protocol })
  const errors: SyncError[] = []
  const onError = (error: SyncError) => errors.push(error)
  const sync = createSyncClient(protocol, {
    url: 'wss://sync.test',
    credentials: (attempt): ReturnType<Session['credentials']> => session.credentials(attempt),
    transport,
    clock,
    random: () => 0.5,
    onError,
  })
  const session = createSession({
    api: server.api,
    store,
    sync,
    clock,
    random: () => 0.5,
    onError,
    device: { deviceName: 'Test', platform: 'web', appVersion: '1.0.0' },
  })
  return {
    clock,
    server,
    transport,
    peer: transport.peer,
    sync,
    session,
    errors,
    async signIn() {
      session.start()
      await clock.advanceAsync(0)
      session.signIn()
      await clock.advanceAsync(0)
      server.approve()
      await clock.advanceAsync(1_000)
      expect(session.status.state).toBe('signedIn')
    },
    tokens: () => transport.attempts.map(({ headers }) => headers['authorization']),
  }
}

describe('a session and a client', () => {
  it('[SESS-10] [SESS-11] connect once signed in, and disconnect with cleared state at sign-out', async () => {
    const { session, sync, signIn, clock, tokens } = create()
    session.start()
    await clock.advanceAsync(60_000)
    expect([sync.status.state, tokens().length]).toEqual(['disconnected', 0])
    await signIn()
    await clock.advanceAsync(0)
    expect(sync.status.state).toBe('connected')
    expect(tokens()).toEqual(['Bearer canary-access-3'])
    await session.signOut()
    expect(sync.status.state).toBe('disconnected')
    await clock.advanceAsync(2_000)
    session.dispose()
    sync.dispose()
    expect(clock.pending.count).toBe(0)
  })

  it('[TOK-5] get past a token that the server does not take any more', async () => {
    const { session, sync, peer, signIn, clock, tokens, server } = create()
    peer.onAttempt(1).refuses(4401)
    await signIn()
    await clock.advanceAsync(5_000)
    expect(sync.status.state).toBe('connected')
    expect(new Set(tokens()).size).toBe(2)
    expect(server.userOf(tokens()[1]?.replace('Bearer ', '') ?? '')).toEqual(ada)
    expect(session.status.state).toBe('signedIn')
  })

  it('[TOK-5] get past a server that takes none from before, what was renewed meanwhile included', async () => {
    const { session, sync, peer, signIn, clock, tokens, server } = create()
    await signIn()
    await clock.advanceAsync(3_400_000)
    expect([server.count('renew'), tokens().length]).toEqual([1, 1])
    server.forgetAccessTokens()
    peer.closes(4401)
    await clock.advanceAsync(5_000)
    expect(sync.status.state).toBe('connected')
    expect(server.userOf(tokens().at(-1)?.replace('Bearer ', '') ?? '')).toEqual(ada)
    expect([server.count('renew'), tokens().length]).toEqual([2, 2])
    expect(session.status.state).toBe('signedIn')
  })

  it('[TOK-5] keep the token through attempts that fail for other reasons', async () => {
    const { session, sync, peer, signIn, clock, tokens, server } = create()
    peer.onAttempt(1).refuses(4401)
    peer.onAttempt(2).isUnreachable()
    peer.onAttempt(3).isUnreachable()
    await signIn()
    await clock.advanceAsync(60_000)
    expect(sync.status.state).toBe('connected')
    expect(server.count('renew')).toBe(1)
    expect(new Set(tokens()).size).toBe(2)
    expect(session.status.state).toBe('signedIn')
  })

  it('[TOK-6] end where the server refuses the new token too', async () => {
    const { session, sync, peer, signIn, clock, server } = create()
    peer.onAttempt(1).refuses(4401)
    peer.onAttempt(2).refuses(4401)
    await signIn()
    await clock.advanceAsync(60_000)
    expect(session.status).toMatchObject({ state: 'signedOut', reason: 'refused' })
    expect(sync.status.state).toBe('disconnected')
    expect(server.count('renew')).toBe(1)
    // And a new sign-in begins afresh.
    session.signIn()
    await clock.advanceAsync(0)
    server.approve()
    await clock.advanceAsync(1_000)
    expect([session.status.state, sync.status.state]).toEqual(['signedIn', 'connected'])
  })

  it('[TOK-4] try again while no token can be had, and connect once one can', async () => {
    const { session, sync, peer, signIn, clock, server, errors } = create()
    await signIn()
    await clock.advanceAsync(0)
    server.mishap('renew', network, network, network, network)
    clock.jump(3_600_000)
    peer.drops()
    await clock.advanceAsync(500)
    expect(sync.status).toMatchObject({
      state: 'reconnecting',
      cause: { code: 'provider-rejected' },
    })
    await clock.advanceAsync(60_000)
    expect(sync.status.state).toBe('connected')
    expect(session.status.state).toBe('signedIn')
    expect(errors.map(({ code }) => code)).toContain('provider-rejected')
    expect(errors.map(({ cause }) => (cause as SyncError).code)).toContain('token-unavailable')
  })

  it('[SESS-10] are back after a restart of the process, from a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const store = createDatabaseStore(createSqliteDatabase(join(directory, 'app.db')))
    await store.set(
      'session',
      JSON.stringify({
        accessToken: 'canary-a',
        refreshToken: 'canary-r',
        issuedAt: createManualClock().epoch(),
        expiresAt: createManualClock().epoch() + 3_600_000,
        user: ada,
      }),
    )
    const { session, sync, tokens, clock } = create({ store })
    session.start()
    // Files take real time; the clock need not move.
    await vi.waitFor(async () => {
      await clock.advanceAsync(0)
      expect(sync.status.state).toBe('connected')
    })
    expect(tokens()).toEqual(['Bearer canary-a'])
    expect(session.status).toEqual({ state: 'signedIn', user: ada })
  })
})
