/*
 * The outbox machine. Three regions run at once.
 *
 *   ownership:  waiting ──outbox.acquired──▶ owned
 *               waiting ◀──outbox.lost────── owned        (also waiting ──outbox.lost──▶ waiting)
 *
 *   flow:       held ──channel.opened──▶ sending ──outbox.blocked──▶ blocked ──25 ms──▶ sending
 *                 └──channel.opened while a refusal lasts──▶ refused
 *               sending, blocked ──outbox.refusedForNow──▶ refused ──1, 2, 4 … 30 s──▶ sending
 *               any ──channel.closed──▶ held
 *
 *   expiry:     idle ──outbox.expiryScheduled──▶ waiting ──the next message expires──▶ idle
 *               waiting ──outbox.expiryScheduled──▶ waiting
 */
import { assign, setup } from 'xstate'
import { type Clock, clampDelay } from '../base/clock.js'

/** The events of the outbox machine. */
export type OutboxEvent =
  /** There is a channel to the server, and messages may be sent over it. */
  | { readonly type: 'channel.opened' }
  /** There is no channel, or it takes no new messages. */
  | { readonly type: 'channel.closed' }
  | { readonly type: 'outbox.acquired' }
  /** Another handle owns the outbox now, or another outbox is in use. */
  | { readonly type: 'outbox.lost' }
  /** Another message expires next, or the same message at another time. */
  | { readonly type: 'outbox.expiryScheduled' }
  /** The socket's buffer is full. */
  | { readonly type: 'outbox.blocked' }
  /** The server refused this number for now, and accepts it later. */
  | { readonly type: 'outbox.refusedForNow'; readonly n: number }

/** What the outbox machine asks for. Every call returns at once, and none throws. */
export interface OutboxActions {
  /** Hands over the machine's mailbox, once, before any other call. */
  listen(send: (event: OutboxEvent) => void): void
  /** Waits for ownership; `outbox.acquired` follows. */
  acquire(): void
  /** Sends messages from now on, as they come. */
  startSending(): void
  stopSending(): void
  removeExpired(): void
  /** When the next message may expire, in milliseconds since the epoch. */
  nextExpiryAt(): number | undefined
}

/** What the outbox machine needs. The actor system runs on the same clock. */
export interface OutboxInput {
  readonly actions: OutboxActions
  readonly clock: Clock
}

/** The outbox machine's memory. */
export interface OutboxContext extends OutboxInput {
  /**
   * The number that the server refused for now, how many times in a row, and until when nothing
   * is sent because of that, in monotonic milliseconds.
   */
  readonly refusal: { readonly n: number; readonly times: number; readonly until: number }
}

// Neither ws nor browsers report that a socket's buffer has room again.
const BLOCKED_MS = 25
const LONGEST_REFUSAL_MS = 30_000

const noRefusal = { n: 0, times: 0, until: Number.NEGATIVE_INFINITY }

let outboxMachine: ReturnType<typeof makeOutboxMachine> | undefined

/**
 * Makes the machine that decides when an outbox sends: while this handle owns it, a channel is
 * open, the socket has room and the server accepts messages. It also removes expired messages. No
 * message passes through it. Made on first use; all clients share it.
 */
export function createOutboxMachine(): ReturnType<typeof makeOutboxMachine> {
  outboxMachine ??= makeOutboxMachine()
  return outboxMachine
}

function makeOutboxMachine() {
  return setup({
    types: { context: {} as OutboxContext, events: {} as OutboxEvent, input: {} as OutboxInput },
    delays: {
      nextExpiry: ({ context: { actions, clock } }) =>
        clampDelay((actions.nextExpiryAt() ?? clock.epoch()) - clock.epoch()),
      hasRoomAgain: BLOCKED_MS,
      refusalWait: ({ context: { clock, refusal } }) => clampDelay(refusal.until - clock.now()),
    },
    guards: { isRefused: ({ context: { clock, refusal } }) => clock.now() < refusal.until },
    actions: {
      listen: ({ context, self }) => context.actions.listen((event) => self.send(event)),
      noteRefusal: assign(({ context: { clock, refusal }, event }) => {
        if (event.type !== 'outbox.refusedForNow') return {}
        const times = event.n === refusal.n ? refusal.times + 1 : 1
        const waitMs = Math.min(1_000 * 2 ** (times - 1), LONGEST_REFUSAL_MS)
        return { refusal: { n: event.n, times, until: clock.now() + waitMs } }
      }),
      forgetRefusal: assign({ refusal: noRefusal }),
    },
  }).createMachine({
    id: 'outbox',
    context: ({ input }) => ({ ...input, refusal: noRefusal }),
    entry: 'listen',
    type: 'parallel',
    states: {
      ownership: {
        initial: 'waiting',
        states: {
          waiting: {
            entry: ({ context }) => context.actions.acquire(),
            on: {
              'outbox.acquired': 'owned',
              // Another outbox is in use.
              'outbox.lost': { target: 'waiting', reenter: true },
            },
          },
          owned: { on: { 'outbox.lost': 'waiting' } },
        },
      },

      flow: {
        initial: 'held',
        on: {
          'channel.closed': '.held',
          'channel.opened': [{ guard: 'isRefused', target: '.refused' }, { target: '.sending' }],
          // Also while held: a retry on the next channel before that time would be refused too.
          'outbox.refusedForNow': { actions: 'noteRefusal' },
          'outbox.lost': { actions: 'forgetRefusal' },
        },
        states: {
          held: { entry: ({ context }) => context.actions.stopSending() },
          sending: {
            entry: ({ context }) => context.actions.startSending(),
            on: {
              'outbox.blocked': 'blocked',
              'outbox.refusedForNow': { target: 'refused', actions: 'noteRefusal' },
            },
          },
          blocked: {
            after: { hasRoomAgain: 'sending' },
            on: { 'outbox.refusedForNow': { target: 'refused', actions: 'noteRefusal' } },
          },
          refused: { after: { refusalWait: 'sending' } },
        },
      },

      expiry: {
        initial: 'idle',
        states: {
          idle: { on: { 'outbox.expiryScheduled': 'waiting' } },
          waiting: {
            on: { 'outbox.expiryScheduled': { target: 'waiting', reenter: true } },
            // The outbox then schedules the next one, if there is one.
            after: {
              nextExpiry: {
                target: 'idle',
                actions: ({ context }) => context.actions.removeExpired(),
              },
            },
          },
        },
      },
    },
  })
}
