import { assign } from 'xstate'
import {
  countFailure,
  giveUpRequest,
  isRefusal,
  mayRetryRequest,
  notePoll,
  takeGranted,
  takeOffer,
} from './context.js'
import { cancelled, linkExpired, linkRefused, signedOutElsewhere } from './endings.js'
import { goneElsewhere, signingOut } from './leaving.js'
import { endWith, leaveFor, type SessionParts, type SessionSetup } from './setup.js'

/** Getting a code. A network that fails is tried again, a few times; nothing is shown yet. */
export function createRequestingState(session: SessionSetup, parts: SessionParts) {
  return session.createStateConfig({
    entry: 'beginRequest',
    on: {
      cancel: endWith(cancelled),
      signOut: endWith(cancelled),
      'store.foreign': '#loading',
    },
    initial: 'asking',
    states: {
      asking: {
        invoke: {
          src: 'requestLink',
          onDone: [
            {
              guard: ({ event }) => event.output.kind === 'offered',
              target: '#linking',
              actions: assign(({ event }) => takeOffer(event.output, parts)),
            },
            {
              guard: ({ context, event }) => mayRetryRequest(context, event.output, parts),
              target: 'waiting',
              actions: assign(({ context, event }) => countFailure(context, event.output, parts)),
            },
            {
              target: '#signedOut',
              actions: assign(({ event }) => giveUpRequest(event.output, parts)),
            },
          ],
        },
      },
      waiting: { after: { retryDue: 'asking' } },
    },
  })
}

/** A code is shown; the server is asked about it, one question at a time, until it is settled. */
export function createLinkingState(session: SessionSetup, parts: SessionParts) {
  return session.createStateConfig({
    id: 'linking',
    on: { 'store.foreign': '#loading' },
    initial: 'open',
    states: {
      open: {
        type: 'parallel',
        on: { cancel: endWith(cancelled), signOut: endWith(cancelled) },
        states: {
          poll: {
            initial: 'resting',
            states: {
              resting: {
                entry: 'schedulePoll',
                after: {
                  pollDue: [
                    { guard: 'pollIsTooLate', ...endWith(linkExpired) },
                    { target: 'asking' },
                  ],
                },
              },
              asking: {
                invoke: {
                  src: 'checkLink',
                  input: ({ context }) => ({ code: context.offer?.code ?? '' }),
                  onDone: [
                    {
                      guard: ({ event }) => event.output.kind === 'approved',
                      target: '#saving',
                    },
                    {
                      guard: ({ event }) => event.output.kind === 'expired',
                      ...endWith(linkExpired),
                    },
                    {
                      guard: ({ event }) => isRefusal(event.output),
                      ...endWith(linkRefused),
                    },
                    // Asked once more after the end, since the server's clock decides.
                    { guard: 'linkIsOver', ...endWith(linkExpired) },
                    {
                      target: 'resting',
                      actions: assign(({ event }) => notePoll(event.output, parts)),
                    },
                  ],
                },
              },
            },
          },
          countdown: {
            initial: 'running',
            states: {
              running: {
                entry: 'countDown',
                always: { guard: 'noSecondsLeft', target: 'over' },
                after: { nextSecond: { target: 'running', reenter: true } },
              },
              over: {},
            },
          },
        },
      },
      saving: {
        id: 'saving',
        invoke: {
          src: 'adopt',
          onDone: [
            {
              guard: ({ event }) => event.output.kind === 'granted',
              target: '#signedIn',
              actions: assign(({ event }) => takeGranted(event.output, parts)),
            },
            endWith(linkExpired),
          ],
        },
        on: {
          // The tokens are on their way into the store: what was begun must be undone.
          cancel: leaveFor(signingOut, cancelled),
          signOut: leaveFor(signingOut, cancelled),
          'store.vanished': leaveFor(goneElsewhere, signedOutElsewhere),
        },
      },
    },
  })
}
