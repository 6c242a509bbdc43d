import { spawnChild } from 'xstate'
import type { Leaving } from './context.js'
import { signedOut } from './endings.js'
import type { SessionSetup } from './setup.js'

/** The user's own wish: everything goes, and the server is told. */
export const signingOut: Leaving = { scope: 'everything', tellServer: true, thenRestore: false }

/** The server's wish: our tokens go, but not those that another tab may have got since. */
export const sentAway: Leaving = { scope: 'ours', tellServer: false, thenRestore: false }

/** Another tab has removed everything already. */
export const goneElsewhere: Leaving = { scope: 'memory', tellServer: false, thenRestore: false }

/** Another tab has signed in as someone else, whom we follow. */
export const takenOver: Leaving = { scope: 'memory', tellServer: false, thenRestore: true }

/** The end of a session, in this order: the sync, then tokens and user, then the server. */
export function createLeavingState(session: SessionSetup) {
  const signOutInstead = {
    type: 'leave',
    params: { leaving: signingOut, ending: signedOut },
  } as const
  return session.createStateConfig({
    id: 'leaving',
    on: { 'store.foreign': { actions: 'lookForOthers' } },
    initial: 'stopping',
    states: {
      stopping: {
        invoke: { src: 'stopSync', onDone: 'clearing' },
        on: { signOut: { actions: signOutInstead } },
      },
      clearing: {
        invoke: {
          src: 'clear',
          input: ({ context }) => ({ scope: context.leaving.scope }),
          onDone: [
            { guard: ({ context }) => context.leaving.thenRestore, target: '#loading' },
            {
              guard: ({ context }) => context.leaving.tellServer,
              target: '#signedOut',
              // Spawned rather than invoked: a new sign-in need not wait for it, nor end it.
              actions: [
                'countFarewell',
                spawnChild('farewell', {
                  id: ({ context }) => `farewell.${context.farewells}`,
                  input: ({ context }) => ({ id: `farewell.${context.farewells}` }),
                }),
              ],
            },
            { target: '#signedOut' },
          ],
        },
        on: { signOut: { target: 'clearing', reenter: true, actions: signOutInstead } },
      },
    },
  })
}
