import * as fc from 'fast-check'
import type { Emission } from './delivery-life.js'

/** What a user of the client does. */
export type Call =
  | {
      readonly do: 'send'
      readonly type: 'SAY' | 'NOTE'
      readonly letter: string
      readonly count: number
      readonly isBig: boolean
      readonly isPoison: boolean
      readonly priority: number
      readonly ttlMs: number | undefined
      readonly abortAfterMs: number | undefined
    }
  | { readonly do: 'abort' | 'remove'; readonly which: number }
  | { readonly do: 'clear' | 'start' | 'stop' | 'connect' | 'disconnect' | 'reconnect' }
  | { readonly do: 'key'; readonly key: string; readonly by: 'start' | 'connect' | 'reconnect' }

/** What happens to a client, its network and its server. */
export type Step =
  | Call
  | { readonly do: 'hook'; readonly on: Emission; readonly call: Call }
  | { readonly do: 'crash' | 'backup' | 'restore' }
  | { readonly do: 'storage'; readonly mode: StorageMode }
  | { readonly do: 'advance' | 'jump' | 'latency'; readonly ms: number }
  | { readonly do: 'close'; readonly closeCode: number }
  | { readonly do: 'drop' | 'silence' | 'speech' | 'unread' | 'read' }
  | { readonly do: 'attempts'; readonly are: 'accepted' | 'unreachable' | 'silent' }
  | { readonly do: 'says' | 'saysUnheard' | 'repeats' | 'trims'; readonly count: number }
  | { readonly do: 'beats' | 'greets' | 'mutters' | 'forgetsClients' | 'mends' }
  | { readonly do: 'forgets'; readonly isFollowed: boolean; readonly isDropping: boolean }
  | { readonly do: 'drains'; readonly afterMs: number; readonly closesInMs: number }
  | { readonly do: 'is'; readonly what: Trouble; readonly on: boolean }
  | { readonly do: 'window' | 'maxBytes'; readonly is: number }

/** What a storage does with each transaction. */
export type StorageMode = 'works' | 'rejects' | 'hangs'

/** What may be wrong with a server for a while. */
export type Trouble =
  | 'isPlain'
  | 'losesAcks'
  | 'ignoresMessages'
  | 'ignoresResume'
  | 'isBusy'
  | 'ignoresPings'

/** A client in a world, and what happens. */
export interface History {
  readonly isImmediate: boolean
  readonly isKept: boolean
  readonly maxMessages: number
  readonly maxBytes: number
  readonly window: number
  readonly maxBufferedBytes: number
  readonly steps: readonly Step[]
}

function weigh<T>(...weighted: [weight: number, arbitrary: fc.Arbitrary<T>][]): fc.Arbitrary<T> {
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}

const seldom = weigh<boolean>([8, fc.constant(false)], [1, fc.constant(true)])
const which = fc.nat({ max: 1_000 })

const send = fc.record<Call & { readonly do: 'send' }>({
  do: fc.constant('send'),
  type: fc.constantFrom('SAY', 'SAY', 'NOTE'),
  letter: fc.constantFrom('a', 'b'),
  count: weigh([4, fc.constant(1)], [1, fc.integer({ min: 2, max: 6 })]),
  isBig: seldom,
  isPoison: seldom,
  priority: fc.constantFrom(0, 0, 0, 1, -1),
  ttlMs: fc.constantFrom(undefined, undefined, undefined, 0, 900, 7_000, 40_000),
  abortAfterMs: weigh<number | undefined>(
    [12, fc.constant(undefined)],
    [1, fc.constantFrom(0, 30, 5_000)],
  ),
})

const call = weigh<Call>(
  [24, send],
  [2, fc.record({ do: fc.constantFrom('abort', 'remove'), which })],
  [1, fc.constant({ do: 'clear' })],
  [3, fc.constant({ do: 'start' })],
  [1, fc.constantFrom<Call[]>({ do: 'stop' }, { do: 'disconnect' })],
  [1, fc.constantFrom<Call[]>({ do: 'connect' }, { do: 'reconnect' })],
  [
    1,
    fc.record({
      do: fc.constant('key'),
      key: fc.constantFrom('one', 'two'),
      by: fc.constantFrom('start', 'connect', 'reconnect'),
    }),
  ],
)

const count = fc.integer({ min: 1, max: 4 })
const shortly = fc.constantFrom(0, 1, 24, 25, 60, 200)
const later = fc.constantFrom(950, 1_000, 2_000, 2_500, 7_000, 15_000, 16_000, 31_000, 45_000)

const toStorage = (mode: StorageMode): Step => ({ do: 'storage', mode })

function steps(canCrash: boolean): fc.Arbitrary<Step> {
  return weigh<Step>(
    [34, call],
    [
      3,
      fc.record({
        do: fc.constant('hook'),
        on: fc.constantFrom<Emission[]>('status', 'state', 'said', 'outbox'),
        call,
      }),
    ],
    [canCrash ? 3 : 0, fc.constant({ do: 'crash' })],
    [canCrash ? 1 : 0, fc.constantFrom<Step[]>({ do: 'backup' }, { do: 'restore' })],
    [2, fc.constantFrom<StorageMode>('works', 'rejects', 'hangs').map(toStorage)],
    [10, shortly.map((ms) => ({ do: 'advance', ms }))],
    [14, later.map((ms) => ({ do: 'advance', ms }))],
    [1, fc.constantFrom(100, 5_000, 60_000).map((ms) => ({ do: 'jump', ms }))],
    [2, fc.constantFrom(0, 0, 10, 300, 1_500).map((ms) => ({ do: 'latency', ms }))],
    [6, fc.constant({ do: 'drop' })],
    [1, fc.constantFrom(1001, 1012).map((closeCode) => ({ do: 'close', closeCode }))],
    [2, fc.constantFrom<Step[]>({ do: 'silence' }, { do: 'speech' }, { do: 'speech' })],
    [2, fc.constantFrom<Step[]>({ do: 'unread' }, { do: 'read' })],
    [
      2,
      fc
        .constantFrom('accepted' as const, 'accepted' as const, 'unreachable', 'silent')
        .map((are) => ({ do: 'attempts', are })),
    ],
    [6, count.map((count) => ({ do: 'says', count }))],
    [2, count.map((count) => ({ do: 'saysUnheard', count }))],
    [2, count.map((count) => ({ do: 'repeats', count }))],
    [1, fc.nat({ max: 3 }).map((count) => ({ do: 'trims', count }))],
    [2, fc.constant({ do: 'beats' })],
    [1, fc.constant({ do: 'greets' })],
    [1, fc.constant({ do: 'mutters' })],
    [1, fc.constant({ do: 'forgetsClients' })],
    [
      1,
      fc.record({ do: fc.constant('forgets'), isFollowed: fc.boolean(), isDropping: fc.boolean() }),
    ],
    [
      1,
      fc.record({
        do: fc.constant('drains'),
        afterMs: fc.constantFrom(0, 500, 9_000),
        closesInMs: fc.constantFrom(0, 300, 4_000),
      }),
    ],
    [
      8,
      fc.record({
        do: fc.constant('is'),
        what: fc.constantFrom<Trouble[]>(
          'isPlain',
          'losesAcks',
          'losesAcks',
          'ignoresMessages',
          'ignoresResume',
          'isBusy',
          'ignoresPings',
        ),
        on: fc.boolean(),
      }),
    ],
    [2, fc.constantFrom(1, 2, 3, 256).map((is) => ({ do: 'window', is }))],
    [1, fc.constantFrom(250, 1_000_000).map((is) => ({ do: 'maxBytes', is }))],
    [5, fc.constant({ do: 'mends' })],
  )
}

/** A message without anything special. */
export const ordinary = {
  type: 'SAY',
  letter: 'c',
  count: 1,
  isBig: false,
  isPoison: false,
  priority: 0,
  ttlMs: undefined,
  abortAfterMs: undefined,
} as const

// What single steps seldom make: a message that was taken, and not known to be.
const unheard = (end: Step): Step[] => [
  { do: 'is', what: 'losesAcks', on: true },
  { ...ordinary, do: 'send', count: 2 },
  { ...ordinary, do: 'send', isPoison: true },
  { do: 'advance', ms: 60 },
  end,
  { do: 'is', what: 'losesAcks', on: false },
]

// Messages that have a number, and wait for the socket to have room, when one is taken back.
const crowded: Step[] = [
  { do: 'unread' },
  { ...ordinary, do: 'send', isBig: true, count: 6 },
  { ...ordinary, do: 'send', count: 2 },
  { do: 'abort', which: 6 },
  { do: 'advance', ms: 24 },
  { do: 'read' },
  { do: 'advance', ms: 60 },
]

// Messages on their way that the server has not taken, when it speaks of another outbox.
const muttered: Step[] = [
  { do: 'is', what: 'ignoresMessages', on: true },
  { ...ordinary, do: 'send', count: 2 },
  { do: 'advance', ms: 60 },
  { do: 'mutters' },
  { do: 'advance', ms: 0 },
  { do: 'is', what: 'ignoresMessages', on: false },
]

// A run, or what it sent last, that a backup knows nothing of.
const restored: Step[] = [
  { do: 'backup' },
  { ...ordinary, do: 'send', count: 2 },
  { do: 'advance', ms: 60 },
  { do: 'restore' },
]

// Connections outlive a memory, and hear of the next one.
const nextEpoch: Step[] = [
  { do: 'forgets', isFollowed: true, isDropping: false },
  { do: 'says', count: 4 },
  { do: 'says', count: 4 },
]

/** Long histories of everything; `canCrash`: clients are killed, and what they kept goes on. */
export function histories(canCrash: boolean): fc.Arbitrary<History> {
  const parts = weigh<readonly Step[]>(
    [40, steps(canCrash).map((step) => [step])],
    [1, fc.constant(unheard({ do: 'drop' }))],
    [canCrash ? 1 : 0, fc.constant(unheard({ do: 'crash' }))],
    [canCrash ? 1 : 0, fc.constant(restored)],
    [1, fc.constant(crowded)],
    [1, fc.constant(muttered)],
    [1, fc.constant(nextEpoch)],
  )
  return fc.record({
    isImmediate: fc.boolean(),
    isKept: canCrash ? weigh([4, fc.constant(true)], [1, fc.constant(false)]) : seldom,
    maxMessages: fc.constantFrom(1_000, 1_000, 5),
    maxBytes: fc.constantFrom(1_000_000, 1_000_000, 900),
    window: fc.constantFrom(256, 256, 2),
    maxBufferedBytes: fc.constantFrom(1_000_000, 400),
    steps: fc
      .array(parts, { minLength: 10, maxLength: 150, size: 'max' })
      .map((all): Step[] => [{ do: 'start' }, ...all.flat()]),
  })
}
