import { describe, expect, it } from 'vitest'
import type { SessionEvent } from '../../../src/machines/session/context.js'
import {
  createScriptedSession,
  forbidden,
  limited,
  network,
  type ScriptedSession,
} from './scripted-ports.js'

const failed = (failure: unknown) => ({ kind: 'failed', failure })

/** How to come to each state of the machine, and what it is called. */
const ways: Record<string, (session: ScriptedSession) => Promise<void>> = {
  idle: (session) => session.settle(),
  loading: async (session) => {
    session.actor.send({ type: 'start' })
    await session.settle()
  },
  signedOut: async (session) => {
    await way('loading')(session)
    await session.answer('restore', { kind: 'none' })
  },
  'requesting.asking': async (session) => {
    await way('signedOut')(session)
    session.actor.send({ type: 'link' })
    await session.settle()
  },
  'requesting.waiting': async (session) => {
    await way('requesting.asking')(session)
    await session.answer('requestLink', failed(network))
  },
  'linking.open.poll.resting countdown.running': async (session) => {
    await way('requesting.asking')(session)
    await session.answer('requestLink', { kind: 'offered', offer: session.offer() })
  },
  'linking.open.poll.asking countdown.running': async (session) => {
    await way('linking.open.poll.resting countdown.running')(session)
    await session.clock.advanceAsync(1_000)
  },
  'linking.open.poll.asking countdown.over': async (session) => {
    await way('requesting.asking')(session)
    await session.answer('requestLink', { kind: 'offered', offer: session.offer(1_000) })
    await session.clock.advanceAsync(1_000)
  },
  'linking.saving': async (session) => {
    await way('linking.open.poll.asking countdown.running')(session)
    await session.answer('checkLink', { kind: 'approved' })
  },
  'signedIn.fresh': async (session) => {
    await way('loading')(session)
    await session.answer('restore', { kind: 'granted', grant: session.grant() })
  },
  'signedIn.renewing': async (session) => {
    await way('signedIn.fresh')(session)
    session.actor.send({ type: 'renew', generation: 1 })
    await session.settle()
  },
  'signedIn.waiting': async (session) => {
    await way('signedIn.renewing')(session)
    await session.answer('renew', failed(network))
  },
  'leaving.clearing': async (session) => {
    await way('signedIn.fresh')(session)
    session.actor.send({ type: 'signOut' })
    await session.settle()
  },
}

function way(state: string): (session: ScriptedSession) => Promise<void> {
  const found = ways[state]
  if (found === undefined) throw new Error(`no way to ${state}`)
  return found
}

async function at(state: string, options?: Parameters<typeof createScriptedSession>[0]) {
  // Waits of half a step, so that a wait is there to be seen.
  const session = createScriptedSession({ random: () => 0.5, ...options })
  session.actor.start()
  await way(state)(session)
  expect(session.state()).toBe(state)
  return session
}

const open = 'linking.open.poll.resting countdown.running'
const asking = 'linking.open.poll.asking countdown.running'
const over = 'linking.open.poll.asking countdown.over'

// What each state does with each event; where nothing is said, nothing happens.
const events: Record<string, (session: ScriptedSession) => SessionEvent> = {
  start: () => ({ type: 'start' }),
  link: () => ({ type: 'link' }),
  cancel: () => ({ type: 'cancel' }),
  signOut: () => ({ type: 'signOut' }),
  'renew current': () => ({ type: 'renew', generation: 1 }),
  'renew old': () => ({ type: 'renew', generation: 0 }),
  'refused current': () => ({ type: 'credentials.refused', generation: 1 }),
  'refused old': () => ({ type: 'credentials.refused', generation: 0 }),
  'replaced newer': (session) => ({ type: 'store.replaced', grant: session.grant() }),
  'replaced older': (session) => ({
    type: 'store.replaced',
    grant: session.grant({ generation: 0 }),
  }),
  vanished: () => ({ type: 'store.vanished' }),
  foreign: () => ({ type: 'store.foreign' }),
  'revocation ended': () => ({ type: 'revocation.ended', id: 'revocation.7' }),
}

const table: Record<string, Partial<Record<string, string>>> = {
  idle: { start: 'loading' },
  loading: { signOut: 'leaving.clearing', foreign: 'loading' },
  signedOut: { link: 'requesting.asking', foreign: 'loading' },
  'requesting.asking': { cancel: 'signedOut', signOut: 'signedOut', foreign: 'loading' },
  'requesting.waiting': { cancel: 'signedOut', signOut: 'signedOut', foreign: 'loading' },
  [open]: { cancel: 'signedOut', signOut: 'signedOut', foreign: 'loading' },
  [asking]: { cancel: 'signedOut', signOut: 'signedOut', foreign: 'loading' },
  [over]: { cancel: 'signedOut', signOut: 'signedOut', foreign: 'loading' },
  'linking.saving': {
    cancel: 'leaving.clearing',
    signOut: 'leaving.clearing',
    vanished: 'leaving.clearing',
    foreign: 'loading',
  },
  'signedIn.fresh': {
    signOut: 'leaving.clearing',
    'renew current': 'signedIn.renewing',
    'refused current': 'leaving.clearing',
    'replaced newer': 'signedIn.fresh',
    vanished: 'leaving.clearing',
    foreign: 'leaving.clearing',
  },
  'signedIn.renewing': {
    signOut: 'leaving.clearing',
    'refused current': 'leaving.clearing',
    'replaced newer': 'signedIn.fresh',
    vanished: 'leaving.clearing',
    foreign: 'leaving.clearing',
  },
  'signedIn.waiting': {
    signOut: 'leaving.clearing',
    'refused current': 'leaving.clearing',
    'replaced newer': 'signedIn.fresh',
    vanished: 'leaving.clearing',
    foreign: 'leaving.clearing',
  },
  'leaving.clearing': {},
}

describe('[SESS-1] what each state does with each event', () => {
  it('covers every state', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(ways).sort())
  })

  for (const [state, row] of Object.entries(table)) {
    for (const [name, event] of Object.entries(events)) {
      const next = row[name] ?? state
      it(`${state}: ${name} leads to ${next}`, async () => {
        const session = await at(state)
        session.actor.send(event(session))
        await session.settle()
        expect(session.state()).toBe(next)
        session.actor.stop()
        expect(session.clock.pending.count).toBe(0)
      })
    }
  }
})

describe('[SESS-1] what follows each answer', () => {
  const answers: [
    state: string,
    port: Parameters<ScriptedSession['answer']>[0],
    outcome: (session: ScriptedSession) => unknown,
    next: string,
  ][] = [
    ['loading', 'restore', () => ({ kind: 'none' }), 'signedOut'],
    ['loading', 'restore', (s) => ({ kind: 'granted', grant: s.grant() }), 'signedIn.fresh'],
    ['requesting.asking', 'requestLink', (s) => ({ kind: 'offered', offer: s.offer() }), open],
    ['requesting.asking', 'requestLink', () => failed(network), 'requesting.waiting'],
    ['requesting.asking', 'requestLink', () => failed(limited), 'signedOut'],
    ['requesting.asking', 'requestLink', () => failed(forbidden), 'signedOut'],
    [asking, 'checkLink', () => ({ kind: 'pending' }), open],
    [asking, 'checkLink', () => ({ kind: 'approved' }), 'linking.saving'],
    [asking, 'checkLink', () => ({ kind: 'expired' }), 'signedOut'],
    [asking, 'checkLink', () => failed(network), open],
    [asking, 'checkLink', () => failed(limited), open],
    [asking, 'checkLink', () => failed(forbidden), 'signedOut'],
    [over, 'checkLink', () => ({ kind: 'pending' }), 'signedOut'],
    [over, 'checkLink', () => failed(network), 'signedOut'],
    [over, 'checkLink', () => ({ kind: 'approved' }), 'linking.saving'],
    ['linking.saving', 'adopt', (s) => ({ kind: 'granted', grant: s.grant() }), 'signedIn.fresh'],
    ['linking.saving', 'adopt', () => ({ kind: 'none' }), 'signedOut'],
    [
      'signedIn.renewing',
      'renew',
      (s) => ({ kind: 'granted', grant: s.grant() }),
      'signedIn.fresh',
    ],
    ['signedIn.renewing', 'renew', () => failed(network), 'signedIn.waiting'],
    ['signedIn.renewing', 'renew', () => failed(limited), 'signedIn.waiting'],
    ['signedIn.renewing', 'renew', () => failed(forbidden), 'signedIn.waiting'],
    ['signedIn.renewing', 'renew', () => ({ kind: 'revoked' }), 'leaving.clearing'],
    ['signedIn.renewing', 'renew', () => ({ kind: 'vanished' }), 'leaving.clearing'],
    ['signedIn.renewing', 'renew', () => ({ kind: 'foreign' }), 'leaving.clearing'],
    ['leaving.clearing', 'clear', () => undefined, 'signedOut'],
  ]
  for (const [state, port, outcome, next] of answers) {
    it(`${state}: ${port} leads to ${next}`, async () => {
      const session = await at(state)
      await session.answer(port, outcome(session))
      expect(session.state()).toBe(next)
      session.actor.stop()
      expect(session.clock.pending.count).toBe(0)
    })
  }

  it('after a foreign sign-in: leaving, then looking for it', async () => {
    const session = await at('signedIn.fresh')
    session.actor.send({ type: 'store.foreign' })
    await session.settle()
    await session.answer('clear')
    expect(session.state()).toBe('loading')
    expect(session.log.slice(-3)).toEqual(['stopSync', 'clear "memory"', 'restore'])
  })

  it('a foreign sign-in while leaving is looked for afterwards', async () => {
    const session = await at('leaving.clearing')
    session.actor.send({ type: 'store.foreign' })
    await session.settle()
    await session.answer('clear')
    expect(session.state()).toBe('loading')
  })

  it('a sign-out while being sent away takes everything', async () => {
    const session = await at('signedIn.fresh')
    session.actor.send({ type: 'credentials.refused', generation: 1 })
    await session.settle()
    session.actor.send({ type: 'signOut' })
    await session.settle()
    expect(session.log.slice(-2)).toEqual(['clear "ours"', 'clear "everything"'])
    // The first is not waited for any more.
    await session.answer('clear')
    expect(session.state()).toBe('leaving.clearing')
    await session.answer('clear')
    expect(session.state()).toBe('signedOut')
    expect(session.actor.getSnapshot().context.ending?.reason).toBe('signed-out')
  })

  it('a sign-out before the sync was stopped stops it once', async () => {
    const session = await at('signedIn.fresh')
    session.actor.send({ type: 'store.vanished' })
    session.actor.send({ type: 'signOut' })
    await session.settle()
    expect(session.log.filter((call) => call === 'stopSync')).toHaveLength(1)
    expect(session.log.at(-1)).toBe('clear "everything"')
  })
})

describe('[SESS-2] a port that breaks its word and rejects', () => {
  const consequences: [
    state: string,
    port: Parameters<ScriptedSession['answer']>[0],
    next: string,
  ][] = [
    ['loading', 'restore', 'signedOut'],
    ['requesting.asking', 'requestLink', 'requesting.waiting'],
    [asking, 'checkLink', open],
    ['linking.saving', 'adopt', 'signedOut'],
    ['signedIn.renewing', 'renew', 'signedIn.waiting'],
    ['leaving.clearing', 'clear', 'signedOut'],
  ]
  for (const [state, port, next] of consequences) {
    it(`${state}: ${port} leads to ${next}`, async () => {
      const session = await at(state)
      await session.answer(port, Promise.reject(new Error('broken')))
      expect(session.state()).toBe(next)
      expect(session.actor.getSnapshot().status).toBe('active')
    })
  }

  it('a sync that throws is taken for started, and for stopped', async () => {
    const session = createScriptedSession()
    const thrower = () => {
      throw new Error('broken')
    }
    Object.assign(session.ports, { startSync: thrower, stopSync: thrower, revoke: thrower })
    session.actor.start()
    await way('signedIn.fresh')(session)
    session.actor.send({ type: 'signOut' })
    await session.settle()
    await session.answer('clear')
    expect(session.state()).toBe('signedOut')
    expect(Object.keys(session.actor.getSnapshot().children)).toEqual([])
  })
})

describe('[SESS-3] telling the server', () => {
  it('is not waited for, may overlap, and leaves nothing behind', async () => {
    const session = await at('leaving.clearing')
    await session.answer('clear')
    expect(session.state()).toBe('signedOut')
    const children = () => Object.keys(session.actor.getSnapshot().children)
    expect(children()).toEqual(['revocation.1'])
    session.actor.send({ type: 'link' })
    await session.settle()
    await session.answer('requestLink', { kind: 'offered', offer: session.offer() })
    await session.clock.advanceAsync(1_000)
    await session.answer('checkLink', { kind: 'approved' })
    await session.answer('adopt', { kind: 'granted', grant: session.grant() })
    session.actor.send({ type: 'signOut' })
    await session.settle()
    await session.answer('clear')
    expect(children()).toEqual(['revocation.1', 'revocation.2'])
    await session.answer('revoke')
    expect(children()).toEqual(['revocation.2'])
    const second = session.waiting('revoke')
    session.actor.stop()
    expect(second?.signal?.aborted).toBe(true)
    await session.answer('revoke')
  })

  it('is left out where the server knows already', async () => {
    const session = await at('signedIn.renewing')
    await session.answer('renew', { kind: 'revoked' })
    await session.answer('clear')
    expect(session.log.slice(-2)).toEqual(['stopSync', 'clear "ours"'])
  })
})
