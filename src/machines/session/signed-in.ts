import { assign } from 'xstate'
import { countFailure, isRefusal, takeSuccessor } from './context.js'
import { refused, revoked, signedOut, signedOutElsewhere } from './endings.js'
import { goneElsewhere, sentAway, signingOut, takenOver } from './leaving.js'
import { leaveFor, type SessionParts, type SessionSetup } from './setup.js'

/** Someone is signed in: the sync runs, and the access token is kept fresh. */
export function createSignedInState(session: SessionSetup, parts: SessionParts) {
  return session.createStateConfig({
    id: 'signedIn',
    invoke: { src: 'startSync' },
    on: {
      signOut: leaveFor(signingOut, signedOut),
      'credentials.refused': { guard: 'isCurrent', ...leaveFor(sentAway, refused) },
      'store.replaced': { guard: 'isNewer', target: '.fresh', actions: 'takeReplacement' },
      'store.vanished': leaveFor(goneElsewhere, signedOutElsewhere),
      'store.foreign': leaveFor(takenOver),
    },
    initial: 'fresh',
    states: {
      fresh: {
        after: { renewDue: 'renewing' },
        on: { renew: { guard: 'isCurrent', target: 'renewing' } },
      },
      renewing: {
        invoke: {
          src: 'renew',
          onDone: [
            {
              guard: ({ event }) => event.output.kind === 'granted',
              target: 'fresh',
              actions: assign(({ event }) =>
                event.output.kind === 'granted' ? takeSuccessor(event.output.grant, parts) : {},
              ),
            },
            {
              guard: ({ event }) => event.output.kind === 'revoked',
              ...leaveFor(sentAway, revoked),
            },
            {
              guard: ({ event }) => event.output.kind === 'vanished',
              ...leaveFor(goneElsewhere, signedOutElsewhere),
            },
            {
              guard: ({ event }) => event.output.kind === 'foreign',
              ...leaveFor(takenOver),
            },
            {
              guard: ({ context, event }) => isRefusal(event.output) && context.refusals > 0,
              ...leaveFor(sentAway, refused),
            },
            {
              target: 'waiting',
              actions: assign(({ context, event }) => countFailure(context, event.output, parts)),
            },
          ],
        },
      },
      waiting: {
        after: { retryDue: 'renewing' },
        on: { renew: { guard: 'mayAsk', target: 'renewing' } },
      },
    },
  })
}
