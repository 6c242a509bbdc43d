import { describe, expect, it } from 'vitest'
import { getSessionStatus } from '../../../src/machines/session/status.js'
import { createScriptedSession, limited, network, type ScriptedSession } from './scripted-ports.js'

const failed = (failure: unknown) => ({ kind: 'failed', failure })
const count = (session: ScriptedSession, call: string) =>
  session.log.filter((logged) => logged.startsWith(call)).length

/** A session without tokens whose user asked for a code. */
async function askingForCode(options?: Parameters<typeof createScriptedSession>[0]) {
  const session = createScriptedSession(options)
  session.actor.start()
  session.actor.send({ type: 'start' })
  await session.settle()
  await session.answer('restore', { kind: 'none' })
  session.actor.send({ type: 'link' })
  await session.settle()
  return session
}

async function linking(lastsMs = 600_000) {
  const session = await askingForCode()
  await session.answer('requestLink', { kind: 'offered', offer: session.offer(lastsMs) })
  const status = () => {
    const current = getSessionStatus(session.actor.getSnapshot())
    if (current.state !== 'linking') throw new Error(`not linking: ${current.state}`)
    return current
  }
  return { ...session, status }
}

async function signedIn(options?: Parameters<typeof createScriptedSession>[0], lifeMs = 3_600_000) {
  const session = createScriptedSession(options)
  session.actor.start()
  session.actor.send({ type: 'start' })
  await session.settle()
  const grant = () => session.grant({ expiresAt: session.clock.now() + lifeMs })
  await session.answer('restore', { kind: 'granted', grant: grant() })
  return { ...session, grant }
}

describe('asking about a code', () => {
  it('[SESS-4] is done each second from when the code came, however long answers take', async () => {
    const { clock, answer, log, ...rest } = await linking()
    const session = { clock, answer, log, ...rest }
    const askedAt: number[] = []
    for (const tookMs of [0, 300, 900, 1_000, 1_700, 0]) {
      while (session.waiting('checkLink') === undefined) await clock.advanceAsync(100)
      askedAt.push(clock.now())
      await clock.advanceAsync(tookMs)
      await answer('checkLink', { kind: 'pending' })
    }
    // An answer on the second is followed by the next second; a slow one skips what it missed.
    expect(askedAt).toEqual([1_000, 2_000, 3_000, 4_000, 6_000, 8_000])
  })

  it('[SESS-4] never has two questions open', async () => {
    const session = await linking()
    await session.clock.advanceAsync(30_000)
    expect(count(session, 'checkLink')).toBe(1)
  })

  it('[SESS-6] goes on through failures, saying so until an answer comes', async () => {
    const session = await linking()
    for (let second = 0; second < 5; second += 1) {
      await session.clock.advanceAsync(1_000)
      await session.answer('checkLink', failed(network))
      expect(session.status().message).toBe(network.message)
    }
    await session.clock.advanceAsync(1_000)
    await session.answer('checkLink', { kind: 'pending' })
    expect(session.status().message).toBeUndefined()
    expect(count(session, 'checkLink')).toBe(6)
  })

  it('[SESS-6] leaves a server alone for as long as it asks', async () => {
    const session = await linking()
    await session.clock.advanceAsync(1_000)
    await session.answer('checkLink', failed(limited))
    await session.clock.advanceAsync(29_999)
    expect(count(session, 'checkLink')).toBe(1)
    await session.clock.advanceAsync(1)
    expect(count(session, 'checkLink')).toBe(2)
  })

  it('[SESS-7] counts whole seconds down, and asks once more after the end', async () => {
    const session = await linking(3_500)
    const seen = [session.status().secondsRemaining]
    const asked: number[] = []
    for (let step = 0; step < 8; step += 1) {
      await session.clock.advanceAsync(500)
      if (session.waiting('checkLink') !== undefined) {
        asked.push(session.clock.now())
        await session.answer('checkLink', { kind: 'pending' })
      }
      if (session.state() !== 'signedOut') seen.push(session.status().secondsRemaining)
    }
    expect(seen).toEqual([4, 3, 3, 2, 2, 1, 1, 0])
    expect(asked).toEqual([1_000, 2_000, 3_000, 4_000])
    expect(session.state()).toBe('signedOut')
    expect(session.actor.getSnapshot().context.ending?.reason).toBe('link-expired')
    expect(session.clock.pending.count).toBe(0)
  })

  it('[SESS-7] ends at the end where the server wants to be left alone beyond it', async () => {
    const session = await linking(10_000)
    await session.clock.advanceAsync(1_000)
    await session.answer('checkLink', failed(limited))
    await session.clock.advanceAsync(8_999)
    expect(session.state()).toContain('linking')
    await session.clock.advanceAsync(1)
    expect(session.state()).toBe('signedOut')
    expect(count(session, 'checkLink')).toBe(1)
  })

  it('[SESS-7] notices after a sleep that the code has expired', async () => {
    const session = await linking(60_000)
    session.clock.jump(3_600_000)
    await session.settle()
    await session.clock.advanceAsync(1_000)
    expect(session.status().secondsRemaining).toBe(0)
    await session.answer('checkLink', { kind: 'pending' })
    expect(session.state()).toBe('signedOut')
  })
})

describe('asking for a code', () => {
  it('[SESS-9] is tried three times, under the backoff', async () => {
    const session = await askingForCode({ random: () => 0.5 })
    await session.answer('requestLink', failed(network))
    await session.clock.advanceAsync(499)
    expect(count(session, 'requestLink')).toBe(1)
    await session.clock.advanceAsync(1)
    await session.answer('requestLink', failed(network))
    await session.clock.advanceAsync(999)
    expect(count(session, 'requestLink')).toBe(2)
    await session.clock.advanceAsync(1)
    await session.answer('requestLink', failed(network))
    expect(getSessionStatus(session.actor.getSnapshot())).toEqual({
      state: 'signedOut',
      reason: 'unreachable',
      message: 'The server cannot be reached. Please try again.',
    })
    expect(session.clock.pending.count).toBe(0)
    // At once: the user has waited already.
    session.actor.send({ type: 'link' })
    await session.settle()
    expect(count(session, 'requestLink')).toBe(4)
  })

  it('[SESS-9] waits as long as the server asks, at most an hour, and says how long', async () => {
    for (const [retryAfterMs, waitMs, words] of [
      [30_000, 30_000, 'a minute'],
      [600_001, 600_001, '11 minutes'],
      [undefined, 60_000, 'a minute'],
      [86_400_000, 3_600_000, '60 minutes'],
    ] as const) {
      const session = await askingForCode()
      const failure = {
        code: 'rate-limited',
        message: 'Wait.',
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      }
      await session.answer('requestLink', failed(failure))
      expect(getSessionStatus(session.actor.getSnapshot())).toEqual({
        state: 'signedOut',
        reason: 'rate-limited',
        message: `Too many attempts. Please try again in ${words}.`,
        retryAt: session.clock.epoch() + waitMs,
      })
      await session.clock.advanceAsync(waitMs - 1)
      session.actor.send({ type: 'link' })
      await session.settle()
      expect(count(session, 'requestLink')).toBe(1)
      await session.clock.advanceAsync(1)
      session.actor.send({ type: 'link' })
      await session.settle()
      expect(count(session, 'requestLink')).toBe(2)
    }
  })
})

describe('renewing', () => {
  it('[TOK-2] begins five minutes before the end, up to one more at random', async () => {
    for (const [random, dueMs] of [
      [0, 3_300_000],
      [0.5, 3_270_000],
    ] as const) {
      const session = await signedIn({ random: () => random })
      await session.clock.advanceAsync(dueMs - 1)
      expect(count(session, 'renew')).toBe(0)
      await session.clock.advanceAsync(1)
      expect(count(session, 'renew')).toBe(1)
      await session.answer('renew', { kind: 'granted', grant: session.grant() })
      await session.clock.advanceAsync(dueMs - 1)
      expect(count(session, 'renew')).toBe(1)
      await session.clock.advanceAsync(1)
      expect(count(session, 'renew')).toBe(2)
    }
  })

  it('[TOK-2] begins half way through a short life, at most once a second', async () => {
    for (const [lifeMs, dueMs] of [
      [60_000, 30_000],
      [100, 1_000],
    ] as const) {
      const session = await signedIn({}, lifeMs)
      await session.clock.advanceAsync(dueMs - 1)
      expect(count(session, 'renew')).toBe(0)
      await session.clock.advanceAsync(1)
      expect(count(session, 'renew')).toBe(1)
    }
  })

  it('[TOK-2] begins at once where the token has expired already', async () => {
    const session = createScriptedSession()
    session.actor.start()
    session.actor.send({ type: 'start' })
    await session.settle()
    const now = session.clock.now()
    const grant = session.grant({ obtainedAt: now - 7_200_000, expiresAt: now - 3_600_000 })
    await session.answer('restore', { kind: 'granted', grant })
    expect(session.state()).toBe('signedIn.renewing')
  })

  it('[TOK-3] is one request, however many ask', async () => {
    const session = await signedIn()
    for (let asker = 0; asker < 5; asker += 1) session.actor.send({ type: 'renew', generation: 1 })
    await session.settle()
    expect(count(session, 'renew')).toBe(1)
  })

  it('[TOK-8] is tried again under the backoff, and the user stays signed in', async () => {
    const session = await signedIn({ random: () => 0.999999 })
    await session.clock.advanceAsync(3_240_001)
    const askedAt = [session.clock.now()]
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await session.answer('renew', failed(network))
      expect(getSessionStatus(session.actor.getSnapshot()).state).toBe('signedIn')
      while (session.waiting('renew') === undefined) await session.clock.advanceAsync(100)
      askedAt.push(session.clock.now())
    }
    const waits = askedAt.slice(1).map((at, index) => Math.round((at - askedAt[index]!) / 1_000))
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
  })

  it('[TOK-8] is brought forward by who needs it, at most once a second and not against the server', async () => {
    const session = await signedIn({ random: () => 0.999999 })
    session.actor.send({ type: 'renew', generation: 1 })
    await session.settle()
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await session.answer('renew', failed(network))
      await session.clock.advanceAsync(999)
      session.actor.send({ type: 'renew', generation: 1 })
      await session.settle()
      expect(session.waiting('renew')).toBeUndefined()
      await session.clock.advanceAsync(1)
      session.actor.send({ type: 'renew', generation: 1 })
      await session.settle()
      expect(session.waiting('renew')).toBeDefined()
    }
    await session.answer('renew', failed(limited))
    await session.clock.advanceAsync(29_999)
    session.actor.send({ type: 'renew', generation: 1 })
    await session.settle()
    expect(session.waiting('renew')).toBeUndefined()
    await session.clock.advanceAsync(1)
    expect(session.waiting('renew')).toBeDefined()
  })

  it('[TOK-6] two refusals in a row other than by 401 end the session; a failure between them does not', async () => {
    const session = await signedIn()
    const forbidden = failed({ code: 'refused', status: 403, message: 'No.' })
    session.actor.send({ type: 'renew', generation: 1 })
    await session.settle()
    for (const outcome of [forbidden, failed(network), forbidden]) {
      await session.answer('renew', outcome)
      await session.clock.advanceAsync(60_000)
      expect(session.state()).toBe('signedIn.renewing')
    }
    await session.answer('renew', forbidden)
    expect(session.state()).toBe('leaving.clearing')
    expect(session.actor.getSnapshot().context.ending?.reason).toBe('refused')
  })
})
