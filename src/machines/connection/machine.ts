import { assign, raise, sendTo, setup } from 'xstate'
import { type Clock, clampDelay, type Random } from '../../clock.js'
import type { ReportError } from '../../errors.js'
import type { EnvironmentSource } from '../../transport/environment.js'
import type { ConnectionFailure } from '../../transport/failure.js'
import type { Link, LinkEvent } from '../../transport/link.js'
import { waitBeforeAttempt } from '../backoff.js'
import { environmentActor, linkActor, type SignalEvent } from './actors.js'
import type { ConnectionPolicy } from './policy.js'
import { type AttemptHistory, decide, type FinalError } from './verdict.js'

/** What the connection machine needs. */
export interface ConnectionInput {
  readonly policy: ConnectionPolicy
  readonly link: Link
  readonly environment: EnvironmentSource
  readonly clock: Clock
  readonly random: Random
  /** Takes what the environment source throws (`environment-failed`). */
  readonly report: ReportError
}

/** What may be asked of a connection. */
export type ConnectionCommand =
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  /** The target has changed: move to it now. */
  | { readonly type: 'reconnect' }

/** Everything a connection hears. */
export type ConnectionEvent = ConnectionCommand | LinkEvent | SignalEvent

/** The connection machine's memory. Times ending in `At` are monotonic milliseconds. */
export interface ConnectionContext extends ConnectionInput {
  /** The attempt that events are taken from; what carries another number is old. */
  readonly generation: number
  readonly history: AttemptHistory
  /** When the last attempt that was brought forward began. */
  readonly hurriedAt: number
  readonly retryAt: number
  /** The same in milliseconds since the epoch, for people. */
  readonly retryEpochMs: number
  /** Signals do not bring an attempt further forward than this: the server asked for it. */
  readonly notBefore: number
  readonly failure: ConnectionFailure | undefined
  readonly error: FinalError | undefined
  /** When the connection opened, in milliseconds since the epoch. */
  readonly openedEpochMs: number
  readonly nextPingAt: number
  readonly pongDueAt: number
  /** How many times in a row the pong timer fired late. */
  readonly lateTimers: number
}

const freshHistory: AttemptHistory = {
  attempt: 0,
  isHurried: false,
  wasRefused: false,
  streak: { code: 0, count: 0 },
}

// A throttled tab's timers are always late, and a probe is answered all the same. Three that were
// not, with frames read in between, are a dead peer.
const MOST_LATE_TIMERS = 3

/**
 * Makes the machine that decides when to connect, to ping, to wait and to give up. It opens no
 * socket itself (the link does) and no message passes through it.
 *
 * To be invoked by a client, or by a machine of your own; `getConnectionStatus` reads its state.
 *
 * Sources: RFC 6455 for closing, FAULTS 1 to 15 of the design for everything else; the rules are
 * CONN, LIVE and BACK in docs/spec.md.
 */
export function createConnectionMachine() {
  const machine = setup({
    types: {
      context: {} as ConnectionContext,
      events: {} as ConnectionEvent,
      input: {} as ConnectionInput,
    },
    actors: { link: linkActor, environment: environmentActor },
    delays: {
      connectTimeout: ({ context }) => context.policy.connectTimeoutMs,
      retryWait: ({ context }) => clampDelay(context.retryAt - context.clock.now()),
      pingDue: ({ context }) => clampDelay(context.nextPingAt - context.clock.now()),
      pongTimeout: ({ context }) => context.policy.pongTimeoutMs,
      settled: ({ context }) => context.policy.settleMs,
    },
    guards: {
      isCurrent: ({ context, event }) =>
        'generation' in event && event.generation === context.generation,
      closedForGood: ({ context, event }) =>
        event.type === 'socket.closed' &&
        event.generation === context.generation &&
        decide(context.history, event.failure, context.policy).next === 'fail',
      firedLate: ({ context }) =>
        context.lateTimers < MOST_LATE_TIMERS &&
        context.clock.now() - context.pongDueAt > context.policy.lateTimerMs,
      hasNoHeartbeat: ({ context }) => context.policy.pingIntervalMs === Number.POSITIVE_INFINITY,
      comesSooner: ({ context, event }) => hurriedRetryAt(context, event) < context.retryAt,
    },
    actions: {
      watchEnvironment: sendTo('environment', { type: 'watch' }),
      unwatchEnvironment: sendTo('environment', { type: 'unwatch' }),
      openSocket: sendTo('link', ({ context }) => ({
        type: 'socket.open',
        generation: context.generation,
        attempt: context.history.attempt,
        refused: context.history.wasRefused,
      })),
      releaseSocket: sendTo('link', ({ context }) => ({
        type: 'socket.release',
        generation: context.generation,
      })),
      ping: sendTo('link', ({ context }) => ({
        type: 'socket.ping',
        generation: context.generation,
      })),
      startAfresh: assign({ history: freshHistory, failure: undefined, error: undefined }),
      beginAttempt: assign(({ context }) => ({
        generation: context.generation + 1,
        hurriedAt: context.history.isHurried ? context.clock.now() : context.hurriedAt,
      })),
      noteOpened: assign(({ context }) => ({
        history: { ...context.history, isHurried: false },
        openedEpochMs: context.clock.epoch(),
        nextPingAt: context.clock.now() + context.policy.pingIntervalMs,
        lateTimers: 0,
      })),
      noteSettled: assign({ history: freshHistory, failure: undefined }),
      failConnect: raise(({ context }) => ({
        type: 'socket.closed',
        generation: context.generation,
        failure: connectTimedOut(context.policy),
      })),
      failPong: raise(({ context }) => ({
        type: 'socket.closed',
        generation: context.generation,
        failure: pongTimedOut(context.policy),
      })),
      scheduleRetry: assign(({ context, event }) =>
        event.type === 'socket.closed' ? scheduleRetry(context, event.failure) : {},
      ),
      noteFinalError: assign(({ context, event }) =>
        event.type === 'socket.closed' ? noteFinalError(context, event.failure) : {},
      ),
      bringForward: assign(({ context, event }) => {
        const retryAt = hurriedRetryAt(context, event)
        return {
          history: { ...context.history, isHurried: true },
          retryAt,
          retryEpochMs: context.clock.epoch() + (retryAt - context.clock.now()),
        }
      }),
      takeSlot: assign(({ context }) => ({
        nextPingAt: context.nextPingAt + context.policy.pingIntervalMs,
      })),
      skipPassedSlots: assign(({ context }) => ({ nextPingAt: nextSlot(context) })),
      awaitPong: assign(({ context }) => ({
        pongDueAt: context.clock.now() + context.policy.pongTimeoutMs,
      })),
      countLateTimer: assign(({ context }) => ({ lateTimers: context.lateTimers + 1 })),
      forgetLateTimers: assign({ lateTimers: 0 }),
    },
  })

  // However a connection ends, and whoever notices, it ends as this one event.
  const onSocketClosed = [
    { guard: 'closedForGood', target: '#failed', actions: 'noteFinalError' },
    { guard: 'isCurrent', target: '#reconnecting', actions: 'scheduleRetry' },
  ] as const
  const bringForward = {
    guard: 'comesSooner',
    target: 'waiting',
    reenter: true,
    actions: 'bringForward',
  } as const

  return machine.createMachine({
    id: 'connection',
    context: ({ input }) => ({
      ...input,
      generation: 0,
      history: freshHistory,
      hurriedAt: Number.NEGATIVE_INFINITY,
      retryAt: 0,
      retryEpochMs: 0,
      notBefore: 0,
      failure: undefined,
      error: undefined,
      openedEpochMs: 0,
      nextPingAt: 0,
      pongDueAt: 0,
      lateTimers: 0,
    }),
    invoke: [
      { src: 'link', id: 'link', input: ({ context }) => ({ link: context.link }) },
      {
        src: 'environment',
        id: 'environment',
        input: ({ context }) => ({
          environment: context.environment,
          report: context.report,
        }),
      },
    ],
    initial: 'disconnected',
    states: {
      disconnected: {
        entry: ['releaseSocket', 'unwatchEnvironment'],
        on: { connect: 'connecting' },
      },

      connecting: {
        entry: ['startAfresh', 'beginAttempt', 'watchEnvironment', 'openSocket'],
        after: { connectTimeout: { actions: 'failConnect' } },
        on: {
          disconnect: 'disconnected',
          reconnect: { target: 'connecting', reenter: true },
          'socket.opened': { guard: 'isCurrent', target: 'connected' },
          'socket.closed': onSocketClosed,
        },
      },

      connected: {
        entry: 'noteOpened',
        on: {
          disconnect: 'disconnected',
          reconnect: 'connecting',
          'socket.closed': onSocketClosed,
        },
        type: 'parallel',
        states: {
          liveness: {
            initial: 'deciding',
            states: {
              deciding: {
                always: [{ guard: 'hasNoHeartbeat', target: 'unwatched' }, { target: 'idle' }],
              },
              unwatched: {},
              idle: {
                entry: 'skipPassedSlots',
                after: { pingDue: { target: 'awaitingPong', actions: 'takeSlot' } },
                on: {
                  'environment.online': 'awaitingPong',
                  'environment.offline': 'awaitingPong',
                  'environment.visible': 'awaitingPong',
                  'environment.woke': 'awaitingPong',
                },
              },
              awaitingPong: {
                entry: ['awaitPong', 'ping'],
                after: {
                  pongTimeout: [
                    {
                      guard: 'firedLate',
                      target: 'awaitingPong',
                      reenter: true,
                      actions: 'countLateTimer',
                    },
                    { actions: 'failPong' },
                  ],
                },
                on: {
                  'socket.ponged': {
                    guard: 'isCurrent',
                    target: 'idle',
                    actions: 'forgetLateTimers',
                  },
                },
              },
            },
          },
          stability: {
            initial: 'settling',
            states: {
              settling: { after: { settled: { target: 'settled', actions: 'noteSettled' } } },
              settled: {},
            },
          },
        },
      },

      reconnecting: {
        id: 'reconnecting',
        entry: 'releaseSocket',
        on: { disconnect: 'disconnected', reconnect: 'connecting' },
        initial: 'waiting',
        states: {
          waiting: {
            after: { retryWait: 'attempting' },
            on: {
              connect: bringForward,
              'environment.online': bringForward,
              'environment.visible': bringForward,
              'environment.woke': bringForward,
            },
          },
          attempting: {
            entry: ['beginAttempt', 'openSocket'],
            after: { connectTimeout: { actions: 'failConnect' } },
            on: {
              'socket.opened': { guard: 'isCurrent', target: '#connection.connected' },
              'socket.closed': onSocketClosed,
            },
          },
        },
      },

      failed: {
        id: 'failed',
        entry: ['releaseSocket', 'unwatchEnvironment'],
        on: { connect: 'connecting', reconnect: 'connecting', disconnect: 'disconnected' },
      },
    },
  })
}

/** The machine that {@link createConnectionMachine} makes. */
export type ConnectionMachine = ReturnType<typeof createConnectionMachine>

function connectTimedOut({ connectTimeoutMs: afterMs }: ConnectionPolicy): ConnectionFailure {
  return { code: 'connect-timeout', afterMs, message: `Not connected within ${afterMs} ms.` }
}

function pongTimedOut({ pongTimeoutMs: afterMs }: ConnectionPolicy): ConnectionFailure {
  return { code: 'pong-timeout', afterMs, message: `No sign of life within ${afterMs} ms.` }
}

function noteFinalError(
  { history, policy }: ConnectionContext,
  failure: ConnectionFailure,
): Partial<ConnectionContext> {
  const decision = decide(history, failure, policy)
  return { failure, error: decision.next === 'fail' ? decision.error : undefined }
}

function scheduleRetry(
  context: ConnectionContext,
  failure: ConnectionFailure,
): Partial<ConnectionContext> {
  const { clock, policy, random } = context
  const decision = decide(context.history, failure, policy)
  if (decision.next === 'fail') return { failure }
  const step = waitBeforeAttempt(policy.backoff, decision.history.attempt, random)
  const spreadMs = decision.spread ? random() * policy.restartSpreadMs : 0
  const waitMs = clampDelay(Math.max(step, decision.minWaitMs) + spreadMs)
  const now = clock.now()
  return {
    history: decision.history,
    failure,
    retryAt: now + waitMs,
    retryEpochMs: clock.epoch() + waitMs,
    notBefore: now + decision.minWaitMs,
  }
}

// A user who asks to connect is obeyed; a signal from the surroundings does not overrule a server
// that said how long to stay away.
function hurriedRetryAt(context: ConnectionContext, event: ConnectionEvent): number {
  const { clock, hurriedAt, notBefore, policy } = context
  const earliest = Math.max(clock.now(), hurriedAt + policy.hurryIntervalMs)
  return event.type === 'connect' ? earliest : Math.max(earliest, notBefore)
}

// The grid starts when the connection opens. A slot that passed while the timers slept, or while a
// pong was awaited, is not caught up on.
function nextSlot({ clock, nextPingAt, policy }: ConnectionContext): number {
  const passed = Math.floor((clock.now() - nextPingAt) / policy.pingIntervalMs) + 1
  return nextPingAt + Math.max(0, passed) * policy.pingIntervalMs
}
