// The coordinator: three regions, side by side. An arrow is labelled with the event or delay that
// it is taken on; a name after a slash is what the state is changed by.
//
//   snapshot   stopped --start--> loading --snapshot.loaded--> loaded
//              |                  ^  |  ^                        |
//              | start, nothing   |  |  +-- opened, restored ----+
//              v  to load         |  +--snapshot.failed--> retrying --retryWait--> loading
//              unneeded           +------ opened, restored --+
//              coordinator.stop: from each state to stopped / clear
//
//   expiry     idle --expiry.scheduled--> waiting --nextExpiry / removeExpired--> idle
//              expiry.scheduled in waiting: waiting, re-entered; coordinator.stop: idle
//
//   presence   confirmed --dropped / unconfirmPeers--> dropped --opened--> unconfirmed
//              unconfirmed --leaveUnconfirmed, roster.complete / removeUnconfirmedPeers--> confirmed
//              unconfirmed --dropped / unconfirmPeers--> dropped
//              roster.begun: from each state to unconfirmed / unconfirmPeers
//              connection.opened: in each state / openConnection; coordinator.stop: confirmed
import { type ActorRefFrom, assign, setup } from 'xstate'
import { clampDelay, type Random } from '../../base/clock.js'
import type { Folding } from '../../state/folding.js'
import { standardBackoff, waitBeforeAttempt } from '../backoff.js'
import {
  changeState,
  loadActor,
  type LoadInput,
  type ReportedEvent,
  stateActor,
  watchActor,
} from './actors.js'

/** What the coordinator machine needs. The clock is the one that the actor system runs on, too. */
export interface CoordinatorInput extends LoadInput {
  readonly random: Random
}

/** Everything a coordinator hears. */
export type CoordinatorEvent =
  /** Load the state now, and again whenever a connection opens. */
  | { readonly type: 'coordinator.start' }
  /** Stop loading, and clear the state. */
  | { readonly type: 'coordinator.stop' }
  | { readonly type: 'connection.opened' }
  | { readonly type: 'connection.dropped' }
  /** The server begins its roster: it announces every peer that is present. */
  | { readonly type: 'roster.begun' }
  /** All present peers have been announced. */
  | { readonly type: 'roster.complete' }
  /** The state was restored from the server's checkpoint. */
  | { readonly type: 'state.restored' }
  | ReportedEvent

/** The coordinator machine's memory. */
export interface CoordinatorContext extends CoordinatorInput {
  /** The published state. */
  readonly state: ActorRefFrom<typeof stateActor>
  /** How many loads in a row have failed. */
  readonly failures: number
}

// An action that changes the state.
function changing(change: (folding: Folding) => void) {
  return ({ context }: { readonly context: CoordinatorContext }): void =>
    changeState(context, () => change(context.folding))
}

function makeCoordinatorMachine() {
  const load = { target: 'loading', actions: 'forgetFailures' } as const
  const loadAgain = { ...load, reenter: true } as const

  return setup({
    types: {
      context: {} as CoordinatorContext,
      events: {} as CoordinatorEvent,
      input: {} as CoordinatorInput,
    },
    actors: { watch: watchActor, load: loadActor, state: stateActor },
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
    },
    actions: {
      countFailure: assign({ failures: ({ context }) => context.failures + 1 }),
      forgetFailures: assign({ failures: 0 }),
      clear: changing((folding) => folding.clear()),
      openConnection: changing((folding) => folding.openConnection()),
      unconfirmPeers: changing((folding) => folding.unconfirmPeers()),
      removeUnconfirmedPeers: changing((folding) => folding.removeUnconfirmedPeers()),
      removeExpired: changing((folding) => folding.removeExpired()),
    },
  }).createMachine({
    id: 'coordinator',
    context: ({ input, spawn }) => ({
      ...input,
      state: spawn('state', { id: 'state', input: { state: input.folding.state } }),
      failures: 0,
    }),
    invoke: { src: 'watch', id: 'watch', input: ({ context }) => context },
    type: 'parallel',
    states: {
      snapshot: {
        initial: 'stopped',
        on: { 'coordinator.stop': { target: '.stopped', actions: 'clear' } },
        states: {
          stopped: {
            on: { 'coordinator.start': [{ guard: 'hasNothingToLoad', target: 'unneeded' }, load] },
          },
          unneeded: {},
          loading: {
            invoke: { src: 'load', id: 'load', input: ({ context }) => context },
            on: {
              'snapshot.loaded': 'loaded',
              'snapshot.failed': { target: 'retrying', actions: 'countFailure' },
              // The load begins again, so that no message is missed between what it read and the
              // first one of the new connection.
              'connection.opened': loadAgain,
              'state.restored': loadAgain,
            },
          },
          loaded: { on: { 'connection.opened': load, 'state.restored': load } },
          retrying: {
            after: { retryWait: 'loading' },
            on: { 'connection.opened': load, 'state.restored': load },
          },
        },
      },

      expiry: {
        initial: 'idle',
        on: { 'coordinator.stop': '.idle' },
        states: {
          idle: { on: { 'expiry.scheduled': 'waiting' } },
          waiting: {
            on: { 'expiry.scheduled': { target: 'waiting', reenter: true } },
            // If the expiry of that entry was postponed meanwhile, nothing is removed, and the folding
            // sends `expiry.scheduled` again.
            after: { nextExpiry: { target: 'idle', actions: 'removeExpired' } },
          },
        },
      },

      presence: {
        initial: 'confirmed',
        on: {
          'connection.opened': { actions: 'openConnection' },
          'roster.begun': { target: '.unconfirmed', actions: 'unconfirmPeers' },
          'coordinator.stop': '.confirmed',
        },
        states: {
          confirmed: { on: { 'connection.dropped': 'dropped' } },
          dropped: {
            entry: 'unconfirmPeers',
            on: { 'connection.opened': { target: 'unconfirmed', actions: 'openConnection' } },
          },
          unconfirmed: {
            after: { leaveUnconfirmed: { target: 'confirmed', actions: 'removeUnconfirmedPeers' } },
            on: {
              'connection.dropped': 'dropped',
              'roster.complete': { target: 'confirmed', actions: 'removeUnconfirmedPeers' },
            },
          },
        },
      },
    },
  })
}

/** The machine that {@link createCoordinatorMachine} gives. */
export type CoordinatorMachine = ReturnType<typeof makeCoordinatorMachine>

let coordinatorMachine: CoordinatorMachine | undefined

/**
 * Gives the machine that decides when the state changes by something other than a message: when it
 * is loaded, when entries expire, when unconfirmed peers leave. No message passes through it, and
 * folding works in all its states. The machine is made on the first call.
 *
 * To be invoked by a client or by a machine of your own: give it a folding, send it
 * `connection.opened` and `connection.dropped`, hand messages to the folding, and call the
 * folding's `commit` after each batch. The published state is its child `state`.
 */
export function createCoordinatorMachine(): CoordinatorMachine {
  coordinatorMachine ??= makeCoordinatorMachine()
  return coordinatorMachine
}
