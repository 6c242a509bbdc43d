import { assign, setup } from 'xstate'
import { type Clock, clampDelay, type Random } from '../../base/clock.js'
import { createSessionActors } from './actors.js'
import {
  isPollTooLate,
  type Leaving,
  nextPollAt,
  type SessionContext,
  secondsUntil,
  takeSuccessor,
} from './context.js'
import type { Ending } from './endings.js'
import type { SessionEvent } from './events.js'
import type { SessionPorts } from './ports.js'
import type { SessionTiming } from './timing.js'

/** What a session machine is made of. */
export interface SessionParts {
  readonly ports: SessionPorts
  readonly clock: Clock
  readonly random: Random
  readonly timing: SessionTiming
}

// What held requests of a session back does not hold back the next.
const anyTime = Number.NEGATIVE_INFINITY

/** The words that the states of the session machine are written in. */
export function createSessionSetup(parts: SessionParts) {
  const { clock } = parts
  const untilMs = (at: number): number => clampDelay(at - clock.now())

  return setup({
    types: { context: {} as SessionContext, events: {} as SessionEvent },
    actors: createSessionActors(parts.ports),
    delays: {
      retryDue: ({ context }) => untilMs(context.retryAt),
      renewDue: ({ context }) => untilMs(context.renewAt),
      pollDue: ({ context }) =>
        untilMs(isPollTooLate(context, parts) ? endOf(context) : context.pollAt),
      nextSecond: ({ context }) => untilMs(endOf(context) - (context.secondsRemaining - 1) * 1_000),
    },
    guards: {
      mayAsk: ({ context }) => clock.now() >= context.notBefore,
      isCurrent: ({ context, event }) =>
        'generation' in event && event.generation === context.grant?.generation,
      isNewer: ({ context, event }) =>
        event.type === 'store.replaced' &&
        event.grant.generation > (context.grant?.generation ?? 0),
      linkIsOver: ({ context }) => clock.now() >= endOf(context),
      pollIsTooLate: ({ context }) => isPollTooLate(context, parts),
      noSecondsLeft: ({ context }) => context.secondsRemaining === 0,
    },
    actions: {
      beginRequest: assign({ failures: 0, ending: undefined }),
      end: assign((_, ending: Ending) => ({ ending, notBefore: anyTime })),
      leave: assign((_, params: { readonly leaving: Leaving; readonly ending?: Ending }) => ({
        leaving: params.leaving,
        ending: params.ending,
        notBefore: anyTime,
      })),
      lookForOthers: assign(({ context }) => ({
        leaving: { ...context.leaving, thenRestore: true },
      })),
      forget: assign({ grant: undefined, offer: undefined, trouble: undefined }),
      takeReplacement: assign(({ event }) =>
        event.type === 'store.replaced' ? takeSuccessor(event.grant, parts) : {},
      ),
      schedulePoll: assign(({ context }) => ({ pollAt: nextPollAt(context, parts) })),
      countDown: assign(({ context }) => ({
        secondsRemaining: secondsUntil(endOf(context), clock.now()),
      })),
      countFarewell: assign(({ context }) => ({ farewells: context.farewells + 1 })),
    },
  })
}

/** What {@link createSessionSetup} makes. */
export type SessionSetup = ReturnType<typeof createSessionSetup>

/** Ends in `signedOut`, with what people are told. */
export function endWith(ending: Ending) {
  return { target: '#signedOut', actions: { type: 'end', params: ending } } as const
}

/** Lets go of a session that was begun. */
export function leaveFor(leaving: Leaving, ending?: Ending) {
  const params = ending === undefined ? { leaving } : { leaving, ending }
  return { target: '#leaving', actions: { type: 'leave', params } } as const
}

function endOf({ offer }: SessionContext): number {
  return offer?.endsAt ?? 0
}
