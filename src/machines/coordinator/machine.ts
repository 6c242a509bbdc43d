import { type ActorRefFrom, assign, sendTo, setup } from 'xstate'
import { type Clock, clampDelay, type Random } from '../../base/clock.js'
import { standardBackoff, waitBeforeAttempt } from '../backoff.js'
import { type FoldingEvent, foldingActor, type LoadSnapshot, stateActor } from './actors.js'
import type { Folding } from '../../state/folding.js'

/** What the coordinator machine needs. */
export interface CoordinatorInput {
  readonly folding: Folding
  /** The clock that the actor system runs on, too. */
  readonly clock: Clock
  readonly random: Random
  /** Loads the state that messages alone do not give. Without it nothing is loaded. */
  readonly loadSnapshot?: LoadSnapshot | undefined
  /**
   * Called when the state was changed by something other than the messages of a batch. What the
   * open batch held by then is in it.
   */
  readonly onChanged: () => void
}

/** Everything a coordinator hears. */
export type CoordinatorEvent =
  /** Load the state, and again whenever a connection opens. */
  | { readonly type: 'coordinator.start' }
  /** Stop loading, and clear the state. */
  | { readonly type: 'coordinator.stop' }
  | { readonly type: 'connection.opened' }
  | { readonly type: 'connection.dropped' }
  /** The server announces every peer that is there. */
  | { readonly type: 'presence.listing' }
  /** Those were all. */
  | { readonly type: 'presence.listed' }
  /** The state is what the server wrote down. */
  | { readonly type: 'state.restored' }
  | FoldingEvent

/** The coordinator machine's memory. */
export interface CoordinatorContext extends CoordinatorInput {
  /** The published state. */
  readonly state: ActorRefFrom<typeof stateActor>
  /** The load that results are taken from; what carries another number is old. */
  readonly generation: number
  /** How many loads in a row have failed. */
  readonly failures: number
}

/**
 * Makes the machine that decides when the state changes by something other than a message: when
 * it is loaded, when entries expire, when peers that nobody confirmed leave. No message passes
 * through it, and folding works in all its states.
 *
 * To be invoked by a client, or by a machine of your own: give it a folding, tell it
 * `connection.opened` and `connection.dropped`, hand messages to the folding, and call the
 * folding's `commit` after each batch. The published state is its child `state`.
 */
export function createCoordinatorMachine() {
  return setup({
    types: {
      context: {} as CoordinatorContext,
      events: {} as CoordinatorEvent,
      input: {} as CoordinatorInput,
    },
    actors: { folding: foldingActor, state: stateActor },
    delays: {
      nextExpiry: ({ context: { folding, clock } }) =>
        clampDelay((folding.nextExpiryAt() ?? clock.now()) - clock.now()),
      retryWait: ({ context: { failures, random } }) =>
        clampDelay(waitBeforeAttempt(standardBackoff, failures, random)),
      leaveUnconfirmed: ({ context }) => clampDelay(context.folding.leaveAfterMs),
    },
    guards: {
      hasNothingToLoad: ({ context }) =>
        context.loadSnapshot === undefined || !context.folding.hasSnapshot,
      isCurrent: ({ context, event }) =>
        'generation' in event && event.generation === context.generation,
    },
    actions: {
      beginLoad: assign({ generation: ({ context }) => context.generation + 1 }),
      load: sendTo('folding', ({ context }) => ({ type: 'load', generation: context.generation })),
      abandonLoad: sendTo('folding', { type: 'abandonLoad' }),
      countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
      forgetFailures: assign({ failures: 0 }),
      clear: sendTo('folding', { type: 'clear' }),
      openConnection: sendTo('folding', { type: 'openConnection' }),
      dropConnection: sendTo('folding', { type: 'dropConnection' }),
      removeUnconfirmed: sendTo('folding', { type: 'removeUnconfirmed' }),
      removeExpired: sendTo('folding', { type: 'removeExpired' }),
    },
  }).createMachine({
    id: 'coordinator',
    context: ({ input, spawn }) => ({
      ...input,
      state: spawn('state', { id: 'state', input: { state: input.folding.state } }),
      generation: 0,
      failures: 0,
    }),
    invoke: {
      src: 'folding',
      id: 'folding',
      input: ({ context }) => context,
    },
    type: 'parallel',
    states: {
      snapshot: {
        initial: 'stopped',
        on: { 'coordinator.stop': { target: '.stopped', actions: 'clear' } },
        states: {
          stopped: {
            on: {
              'coordinator.start': [
                { guard: 'hasNothingToLoad', target: 'unneeded' },
                { target: 'loading', actions: 'forgetFailures' },
              ],
            },
          },
          unneeded: {},
          loading: {
            entry: ['beginLoad', 'load'],
            exit: 'abandonLoad',
            on: {
              'snapshot.loaded': { guard: 'isCurrent', target: 'loaded' },
              'snapshot.failed': {
                guard: 'isCurrent',
                target: 'retrying',
                actions: 'countFailure',
              },
              // Begun anew, so that nothing falls between what was read and what is now sent.
              'connection.opened': { target: 'loading', reenter: true, actions: 'forgetFailures' },
              'state.restored': { target: 'loading', reenter: true, actions: 'forgetFailures' },
            },
          },
          loaded: {
            on: {
              'connection.opened': { target: 'loading', actions: 'forgetFailures' },
              'state.restored': { target: 'loading', actions: 'forgetFailures' },
            },
          },
          retrying: {
            after: { retryWait: 'loading' },
            on: {
              'connection.opened': { target: 'loading', actions: 'forgetFailures' },
              'state.restored': { target: 'loading', actions: 'forgetFailures' },
            },
          },
        },
      },

      expiry: {
        initial: 'idle',
        on: { 'coordinator.stop': '.idle' },
        states: {
          idle: {
            on: { 'expiry.scheduled': 'waiting' },
          },
          waiting: {
            on: { 'expiry.scheduled': { target: 'waiting', reenter: true } },
            // Also where the entry it waited for has stayed after all: the folding then tells
            // which is next.
            after: { nextExpiry: { target: 'idle', actions: 'removeExpired' } },
          },
        },
      },

      presence: {
        initial: 'confirmed',
        on: {
          'connection.opened': { actions: 'openConnection' },
          'presence.listing': { target: '.unconfirmed', actions: 'dropConnection' },
          'coordinator.stop': '.confirmed',
        },
        states: {
          confirmed: {
            on: { 'connection.dropped': 'dropped' },
          },
          dropped: {
            entry: 'dropConnection',
            on: { 'connection.opened': { target: 'unconfirmed', actions: 'openConnection' } },
          },
          unconfirmed: {
            after: { leaveUnconfirmed: { target: 'confirmed', actions: 'removeUnconfirmed' } },
            on: {
              'connection.dropped': 'dropped',
              'presence.listed': { target: 'confirmed', actions: 'removeUnconfirmed' },
            },
          },
        },
      },
    },
  })
}
