import { describe, expect, it } from 'vitest'
import { getSessionStatus } from '../../../src/machines/session/status.js'
import { createScriptedSession, forbidden, type ScriptedSession } from './scripted-ports.js'

const failed = (failure: unknown) => ({ kind: 'failed', failure })
const statusOf = ({ actor }: ScriptedSession) => getSessionStatus(actor.getSnapshot())

async function signedOut() {
  const session = createScriptedSession()
  session.actor.start()
  session.actor.send({ type: 'start' })
  await session.settle()
  await session.answer('restore', { kind: 'none' })
  return session
}

async function requesting() {
  const session = await signedOut()
  session.actor.send({ type: 'link' })
  await session.settle()
  return session
}

/** A code is shown, and the server is being asked about it. */
async function asking() {
  const session = await requesting()
  await session.answer('requestLink', { kind: 'offered', offer: session.offer() })
  await session.clock.advanceAsync(1_000)
  return session
}

async function renewing() {
  const session = createScriptedSession({ random: () => 0.5 })
  session.actor.start()
  session.actor.send({ type: 'start' })
  await session.settle()
  await session.answer('restore', { kind: 'granted', grant: session.grant() })
  session.actor.send({ type: 'renew', generation: 1 })
  await session.settle()
  return session
}

describe('the status of who is signed out', () => {
  it('[SESS-5] has no reason where nobody was signed in', async () => {
    expect(statusOf(await signedOut())).toEqual({ state: 'signedOut' })
  })

  it('[SESS-8] says that the sign-in was cancelled, without a message', async () => {
    const session = await asking()
    session.actor.send({ type: 'cancel' })
    expect(statusOf(session)).toEqual({ state: 'signedOut', reason: 'cancelled' })
  })

  it('[SESS-11] says that the user signed out, without a message', async () => {
    const session = await renewing()
    session.actor.send({ type: 'signOut' })
    await session.settle()
    expect(statusOf(session)).toEqual({ state: 'loading' })
    await session.answer('clear')
    expect(statusOf(session)).toEqual({ state: 'signedOut', reason: 'signed-out' })
  })

  it('[SESS-13] says that the user signed out elsewhere', async () => {
    const session = await renewing()
    session.actor.send({ type: 'store.vanished' })
    await session.settle()
    await session.answer('clear')
    expect(statusOf(session)).toEqual({
      state: 'signedOut',
      reason: 'elsewhere',
      message: 'You have signed out in another window.',
    })
  })

  it('[SESS-7] says that the code has expired', async () => {
    const session = await asking()
    await session.answer('checkLink', { kind: 'expired' })
    expect(statusOf(session)).toEqual({
      state: 'signedOut',
      reason: 'link-expired',
      message: 'The code has expired. Please try again.',
    })
  })

  it('[SESS-9] says that the server refused, for a code and about it', async () => {
    const first = await requesting()
    await first.answer('requestLink', failed(forbidden))
    const second = await asking()
    await second.answer('checkLink', failed({ code: 'url-unusable', message: 'No URL.' }))
    for (const session of [first, second]) {
      expect(statusOf(session)).toEqual({
        state: 'signedOut',
        reason: 'link-refused',
        message: 'The server refused to sign this device in.',
      })
    }
  })

  it('[TOK-6] says that the session has ended, or was refused', async () => {
    const revoked = await renewing()
    await revoked.answer('renew', { kind: 'revoked' })
    await revoked.answer('clear')
    expect(statusOf(revoked)).toEqual({
      state: 'signedOut',
      reason: 'revoked',
      message: 'Your session has ended. Please sign in again.',
    })
    const refused = await renewing()
    refused.actor.send({ type: 'credentials.refused', generation: 1 })
    await refused.settle()
    await refused.answer('clear')
    expect(statusOf(refused)).toEqual({
      state: 'signedOut',
      reason: 'refused',
      message: 'The server did not accept your session. Please sign in again.',
    })
  })
})

describe('a port that rejects', () => {
  const rejected = () => Promise.reject(new Error('port'))

  it('[SESS-2] while a code is shown, is a request that failed', async () => {
    const session = await asking()
    await session.answer('checkLink', rejected())
    expect(statusOf(session)).toMatchObject({ state: 'linking', message: 'The request failed.' })
  })

  it('[SESS-2] with a code that was approved, has adopted nothing', async () => {
    const session = await asking()
    await session.answer('checkLink', { kind: 'approved' })
    await session.answer('adopt', rejected())
    expect(statusOf(session)).toMatchObject({ state: 'signedOut', reason: 'link-expired' })
  })

  it('[SESS-2] at a renewal, is tried again', async () => {
    const session = await renewing()
    await session.answer('renew', rejected())
    expect(session.state()).toBe('signedIn.waiting')
  })
})

describe('a port of a state that was left at once', () => {
  it('[SESS-12] is not called', async () => {
    const session = createScriptedSession()
    session.actor.start()
    session.actor.send({ type: 'start' })
    session.actor.send({ type: 'signOut' })
    await session.settle()
    expect(session.log).toEqual(['stopSync', 'clear "everything"'])
  })
})

describe('what follows an ending', () => {
  it('[SESS-11] nothing of the user, in the memory of the machine', async () => {
    const session = await renewing()
    session.actor.send({ type: 'signOut' })
    await session.settle()
    await session.answer('clear')
    expect(session.actor.getSnapshot().context.grant).toBeUndefined()
  })

  it('[SESS-9] three attempts again, at the next sign-in', async () => {
    const session = await requesting()
    const unreachable = failed({ code: 'network', message: 'Down.' })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await session.answer('requestLink', unreachable)
    }
    expect(statusOf(session)).toMatchObject({ state: 'signedOut', reason: 'unreachable' })
    session.actor.send({ type: 'link' })
    await session.settle()
    expect(statusOf(session)).toEqual({ state: 'loading' })
    await session.answer('requestLink', unreachable)
    expect(statusOf(session)).toEqual({ state: 'loading' })
  })

  it('[SESS-13] a new look into the store, where another tab signs in during the first', async () => {
    const session = createScriptedSession()
    session.actor.start()
    session.actor.send({ type: 'start' })
    await session.settle()
    const first = session.waiting('restore')
    session.actor.send({ type: 'store.foreign' })
    await session.settle()
    expect(first?.signal?.aborted).toBe(true)
    expect(session.log).toEqual(['restore', 'restore'])
  })
})

describe('tokens of another tab', () => {
  it('[SESS-13] are used where they are newer, and are the ones to renew', async () => {
    const session = await renewing()
    const same = session.grant({ generation: 1, user: { id: 'u2', email: 'b@example.com' } })
    session.actor.send({ type: 'store.replaced', grant: same })
    expect(session.state()).toBe('signedIn.renewing')
    const newer = session.grant({ generation: 7, user: { id: 'u1', email: 'new@example.com' } })
    session.actor.send({ type: 'store.replaced', grant: newer })
    expect(statusOf(session)).toEqual({ state: 'signedIn', user: newer.user })
    session.actor.send({ type: 'renew', generation: 1 })
    expect(session.state()).toBe('signedIn.fresh')
    session.actor.send({ type: 'renew', generation: 7 })
    expect(session.state()).toBe('signedIn.renewing')
  })

  it('[TOK-2] are not renewed within a second, even if they have expired', async () => {
    const session = await renewing()
    const now = session.clock.now()
    const grant = session.grant({ generation: 7, obtainedAt: now - 9_000, expiresAt: now - 1 })
    session.actor.send({ type: 'store.replaced', grant })
    await session.clock.advanceAsync(999)
    expect(session.state()).toBe('signedIn.fresh')
    await session.clock.advanceAsync(1)
    expect(session.state()).toBe('signedIn.renewing')
  })
})

describe('a question about a code', () => {
  it('[SESS-4] names the code, and the status has no message without trouble', async () => {
    const session = await asking()
    expect(session.log.at(-1)).toBe('checkLink "ABC123"')
    expect(Object.keys(statusOf(session))).not.toContain('message')
  })
})

describe('a server in trouble', () => {
  it('[SESS-6] is left alone as long as it asks, and else asked each second', async () => {
    const session = await asking()
    const unavailable = { code: 'unavailable', status: 503, message: 'Down.' }
    await session.answer('checkLink', failed({ ...unavailable, retryAfterMs: 5_000 }))
    await session.clock.advanceAsync(4_999)
    expect(session.waiting('checkLink')).toBeUndefined()
    await session.clock.advanceAsync(1)
    await session.answer('checkLink', failed(unavailable))
    expect(statusOf(session)).toMatchObject({ message: 'Down.' })
    await session.clock.advanceAsync(1_000)
    expect(session.waiting('checkLink')).toBeDefined()
  })
})
