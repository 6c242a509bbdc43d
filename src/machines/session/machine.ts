import { assign, setup, spawnChild, stopChild } from 'xstate'
import { clampDelay } from '../../base/clock.js'
import { sessionActors } from './actors.js'
import {
  createSessionContext,
  type Leaving,
  type SessionContext,
  type SessionEvent,
  type SessionInput,
} from './context.js'
import * as endings from './endings.js'
import type { OfferOutcome, PollOutcome, RenewOutcome, RestoreOutcome } from './ports.js'
import {
  applyGrant,
  applyOffer,
  applySuccessor,
  codeEndsAt,
  countFailure,
  endRequest,
  isPollTooLate,
  isRefusal,
  mayRequestAgain,
  nextPollAt,
  notePoll,
  secondsLeft,
} from './updates.js'

/*
  idle --start--> loading --granted--------------------------------------> signedIn
                     |                                                        ^
                     | none                                                   |
                     v                                                        |
                 signedOut --link--> requesting --offered--> linking --adopted+

  requesting          asking --a failure that may pass--> waiting --retryDue--> asking
                      any other failure, cancel, signOut --> signedOut

  linking   open      poll:      resting --pollDue--> asking --pending or a failure--> resting
            (both)    countdown: running --nextSecond--> running --no seconds left--> over
                      expired, refused, cancel, signOut --> signedOut
            saving    after `approved`: adopted --> signedIn, cancel or signOut --> leaving

  signedIn            fresh --renewDue, renew--> renewing --granted--> fresh
                      renewing --failed--> waiting --retryDue, renew--> renewing
                      store.replaced --> fresh
                      signOut, revoked, refused twice, store.vanished, store.foreign --> leaving

  leaving             stopping --the sync stopped--> clearing --tokens removed--> signedOut,
                      or loading if another tab signed someone in

  store.foreign (another tab signed someone in) leads to loading from every other state but idle.
  A revocation is a child of the machine itself: a new sign-in neither waits for it nor ends it.

  Timers: retryDue, renewDue, pollDue, nextSecond.
*/

/** The user signs out: everything is removed, and the server is told. */
const everything: Leaving = { scope: 'everything', thenRevoke: true, thenRestore: false }

/** The server ended the session: our tokens are removed, but not newer ones of another tab. */
const ourTokens: Leaving = { scope: 'ours', thenRevoke: false, thenRestore: false }

/** Another tab removed the stored tokens already. */
const memoryOnly: Leaving = { scope: 'memory', thenRevoke: false, thenRestore: false }

/** Another tab signed another user in: this one signs the same user in. */
const otherUser: Leaving = { scope: 'memory', thenRevoke: false, thenRestore: true }

// A wait that the server asked for ends with the session.
const anyTime = Number.NEGATIVE_INFINITY

const signOutInstead = {
  type: 'leave',
  params: { leaving: everything, ending: endings.signedOut },
} as const

const withPorts = ({ context: { input } }: { readonly context: SessionContext }) => ({
  ports: () => input().ports,
})

type OutcomeKind = (RestoreOutcome | OfferOutcome | PollOutcome | RenewOutcome)['kind']

/** Whether an actor ended with an outcome of a kind. */
const gave =
  (kind: OutcomeKind) =>
  ({ event }: { readonly event: { readonly output: { readonly kind: OutcomeKind } } }): boolean =>
    event.output.kind === kind

const dueIn = (at: number, { input }: SessionContext): number =>
  clampDelay(at - input().clock.now())

type Machine = ReturnType<typeof defineMachine>
let machine: Machine | undefined

/**
 * Gives the machine that decides when to look for a stored session, to ask whether a code was
 * confirmed, to renew tokens and to remove them. Its ports reach the server and the storage; no
 * token passes through the machine. It is the same machine at every call.
 *
 * `getSessionStatus` reads its state; the rules are SESS and TOK in docs/spec.md.
 */
export function createSessionMachine(): Machine {
  machine ??= defineMachine()
  return machine
}

/** The machine that {@link createSessionMachine} gives. */
export type SessionMachine = Machine

function defineMachine() {
  return setup({
    types: {
      context: {} as SessionContext,
      events: {} as SessionEvent,
      input: {} as SessionInput,
    },
    actors: sessionActors,
    delays: {
      retryDue: ({ context }) => dueIn(context.retryAt, context),
      renewDue: ({ context }) => dueIn(context.renewAt, context),
      pollDue: ({ context }) =>
        dueIn(isPollTooLate(context) ? codeEndsAt(context) : context.pollAt, context),
      nextSecond: ({ context }) =>
        dueIn(codeEndsAt(context) - (context.secondsRemaining - 1) * 1_000, context),
    },
    guards: {
      mayAsk: ({ context }) => context.input().clock.now() >= context.notBefore,
      isCurrent: ({ context, event }) =>
        'generation' in event && event.generation === context.grant?.generation,
      isNewer: ({ context, event }) =>
        event.type === 'store.replaced' &&
        event.grant.generation > (context.grant?.generation ?? 0),
      codeHasExpired: ({ context }) => context.input().clock.now() >= codeEndsAt(context),
      pollIsTooLate: ({ context }) => isPollTooLate(context),
      noSecondsLeft: ({ context }) => context.secondsRemaining === 0,
    },
    actions: {
      beginRequest: assign({ failures: 0, ending: undefined }),
      end: assign((_, ending: endings.Ending) => ({ ending, notBefore: anyTime })),
      leave: assign((_, params: Pick<SessionContext, 'leaving' | 'ending'>) => ({
        ...params,
        notBefore: anyTime,
      })),
      restoreAfterwards: assign(({ context }) => ({
        leaving: { ...context.leaving, thenRestore: true },
      })),
      forget: assign({ grant: undefined, offer: undefined, trouble: undefined }),
      useGrant: assign(({ context }, outcome: RestoreOutcome) =>
        outcome.kind === 'granted' ? applyGrant(context, outcome.grant) : {},
      ),
      useRenewed: assign(({ context }, outcome: RenewOutcome) =>
        outcome.kind === 'granted' ? applySuccessor(context, outcome.grant) : {},
      ),
      countFailure: assign(({ context }, outcome: OfferOutcome | RenewOutcome) =>
        countFailure(context, outcome),
      ),
      useReplacement: assign(({ context, event }) =>
        event.type === 'store.replaced' ? applySuccessor(context, event.grant) : {},
      ),
      schedulePoll: assign(({ context }) => ({ pollAt: nextPollAt(context) })),
      countDown: assign(({ context }) => ({ secondsRemaining: secondsLeft(context) })),
      countRevocation: assign(({ context }) => ({ revocations: context.revocations + 1 })),
    },
  }).createMachine({
    id: 'session',
    context: ({ input }) => createSessionContext(input),
    on: { 'revocation.ended': { actions: stopChild(({ event }) => event.id) } },
    initial: 'idle',
    states: {
      idle: { on: { start: 'loading' } },

      loading: {
        id: 'loading',
        invoke: {
          src: 'restore',
          input: withPorts,
          onDone: [
            {
              guard: gave('granted'),
              target: 'signedIn',
              actions: { type: 'useGrant', params: ({ event }) => event.output },
            },
            { target: 'signedOut' },
          ],
        },
        on: {
          signOut: leaveWith(everything, endings.signedOut),
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

      // Asks for a code. It asks a few times if the network fails; nothing is shown yet.
      requesting: {
        entry: 'beginRequest',
        on: {
          cancel: endWith(endings.cancelled),
          signOut: endWith(endings.cancelled),
          'store.foreign': '#loading',
        },
        initial: 'asking',
        states: {
          asking: {
            invoke: {
              src: 'requestLink',
              input: withPorts,
              onDone: [
                {
                  guard: gave('offered'),
                  target: '#linking',
                  actions: assign(({ context, event }) => applyOffer(context, event.output)),
                },
                {
                  guard: ({ context, event }) => mayRequestAgain(context, event.output),
                  target: 'waiting',
                  actions: { type: 'countFailure', params: ({ event }) => event.output },
                },
                {
                  target: '#signedOut',
                  actions: assign(({ context, event }) => endRequest(context, event.output)),
                },
              ],
            },
          },
          waiting: { after: { retryDue: 'asking' } },
        },
      },

      // Shows a code, and asks the server about it, one question at a time, until it is decided.
      linking: {
        id: 'linking',
        on: { 'store.foreign': '#loading' },
        initial: 'open',
        states: {
          open: {
            type: 'parallel',
            on: { cancel: endWith(endings.cancelled), signOut: endWith(endings.cancelled) },
            states: {
              poll: {
                initial: 'resting',
                states: {
                  resting: {
                    entry: 'schedulePoll',
                    after: {
                      pollDue: [
                        { guard: 'pollIsTooLate', ...endWith(endings.linkExpired) },
                        { target: 'asking' },
                      ],
                    },
                  },
                  asking: {
                    invoke: {
                      src: 'checkLink',
                      input: ({ context }) => ({
                        ...withPorts({ context }),
                        code: context.offer?.code ?? '',
                      }),
                      onDone: [
                        { guard: gave('approved'), target: '#saving' },
                        { guard: gave('expired'), ...endWith(endings.linkExpired) },
                        {
                          guard: ({ event }) => isRefusal(event.output),
                          ...endWith(endings.linkRefused),
                        },
                        // The server still says pending: now our own clock decides.
                        { guard: 'codeHasExpired', ...endWith(endings.linkExpired) },
                        {
                          target: 'resting',
                          actions: assign(({ context, event }) => notePoll(context, event.output)),
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
              input: withPorts,
              onDone: [
                {
                  guard: gave('granted'),
                  target: '#signedIn',
                  actions: { type: 'useGrant', params: ({ event }) => event.output },
                },
                endWith(endings.linkExpired),
              ],
            },
            on: {
              // The tokens may be in the store by now, so they have to be removed again.
              cancel: leaveWith(everything, endings.cancelled),
              signOut: leaveWith(everything, endings.cancelled),
              'store.vanished': leaveWith(memoryOnly, endings.signedOutElsewhere),
            },
          },
        },
      },

      // The sync runs, and the access token is renewed before it expires.
      signedIn: {
        id: 'signedIn',
        invoke: { src: 'startSync', input: withPorts },
        on: {
          signOut: leaveWith(everything, endings.signedOut),
          'credentials.refused': { guard: 'isCurrent', ...leaveWith(ourTokens, endings.refused) },
          'store.replaced': { guard: 'isNewer', target: '.fresh', actions: 'useReplacement' },
          'store.vanished': leaveWith(memoryOnly, endings.signedOutElsewhere),
          'store.foreign': leaveWith(otherUser),
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
              input: withPorts,
              onDone: [
                {
                  guard: gave('granted'),
                  target: 'fresh',
                  actions: { type: 'useRenewed', params: ({ event }) => event.output },
                },
                { guard: gave('revoked'), ...leaveWith(ourTokens, endings.revoked) },
                { guard: gave('vanished'), ...leaveWith(memoryOnly, endings.signedOutElsewhere) },
                { guard: gave('foreign'), ...leaveWith(otherUser) },
                {
                  guard: ({ context, event }) => isRefusal(event.output) && context.refusals > 0,
                  ...leaveWith(ourTokens, endings.refused),
                },
                {
                  target: 'waiting',
                  actions: { type: 'countFailure', params: ({ event }) => event.output },
                },
              ],
            },
          },
          waiting: {
            after: { retryDue: 'renewing' },
            on: { renew: { guard: 'mayAsk', target: 'renewing' } },
          },
        },
      },

      // The order matters: stop the sync, remove tokens and user, tell the server.
      leaving: {
        id: 'leaving',
        on: { 'store.foreign': { actions: 'restoreAfterwards' } },
        initial: 'stopping',
        states: {
          stopping: {
            invoke: { src: 'stopSync', input: withPorts, onDone: 'clearing' },
            on: { signOut: { actions: signOutInstead } },
          },
          clearing: {
            invoke: {
              src: 'clear',
              input: ({ context }) => ({
                ...withPorts({ context }),
                scope: context.leaving.scope,
              }),
              onDone: [
                { guard: ({ context }) => context.leaving.thenRestore, target: '#loading' },
                {
                  guard: ({ context }) => context.leaving.thenRevoke,
                  target: '#signedOut',
                  actions: [
                    'countRevocation',
                    spawnChild('revocation', {
                      id: ({ context }) => revocationId(context),
                      input: ({ context }) => ({
                        ...withPorts({ context }),
                        id: revocationId(context),
                      }),
                    }),
                  ],
                },
                { target: '#signedOut' },
              ],
            },
            on: { signOut: { target: 'clearing', reenter: true, actions: signOutInstead } },
          },
        },
      },
    },
  })
}

/** Ends in `signedOut`, with an ending to show. */
function endWith(ending: endings.Ending) {
  return { target: '#signedOut', actions: { type: 'end', params: ending } } as const
}

/** Leaves a session that was begun. */
function leaveWith(leaving: Leaving, ending?: endings.Ending) {
  return { target: '#leaving', actions: { type: 'leave', params: { leaving, ending } } } as const
}

function revocationId({ revocations }: SessionContext): string {
  return `revocation.${revocations}`
}
