import { assign, stopChild } from 'xstate'
import { emptySession, takeGranted } from './context.js'
import { signedOut } from './endings.js'
import { createLeavingState, signingOut } from './leaving.js'
import { createLinkingState, createRequestingState } from './linking.js'
import { createSessionSetup, leaveFor, type SessionParts } from './setup.js'
import { createSignedInState } from './signed-in.js'

/**
 * Makes the machine that decides when to look for a stored session, to ask whether a code was
 * confirmed, to renew tokens and to let go of them. It reaches neither server nor storage itself
 * (its ports do), and no token passes through it.
 *
 * `getSessionStatus` reads its state; the rules are SESS and TOK in docs/spec.md.
 */
export function createSessionMachine(parts: SessionParts) {
  const session = createSessionSetup(parts)
  return session.createMachine({
    id: 'session',
    context: emptySession,
    on: { 'farewell.over': { actions: stopChild(({ event }) => event.id) } },
    initial: 'idle',
    states: {
      idle: { on: { start: 'loading' } },

      loading: {
        id: 'loading',
        invoke: {
          src: 'restore',
          onDone: [
            {
              guard: ({ event }) => event.output.kind === 'granted',
              target: 'signedIn',
              actions: assign(({ event }) => takeGranted(event.output, parts)),
            },
            { target: 'signedOut' },
          ],
        },
        on: {
          signOut: leaveFor(signingOut, signedOut),
          'store.foreign': { target: 'loading', reenter: true },
        },
      },

      signedOut: {
        id: 'signedOut',
        entry: 'forget',
        on: {
          link: { guard: 'mayAsk', target: 'requesting' },
          'store.foreign': 'loading',
        },
      },

      requesting: createRequestingState(session, parts),
      linking: createLinkingState(session, parts),
      signedIn: createSignedInState(session, parts),
      leaving: createLeavingState(session),
    },
  })
}

/** The machine that {@link createSessionMachine} makes. */
export type SessionMachine = ReturnType<typeof createSessionMachine>
