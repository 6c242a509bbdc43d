import * as z from 'zod/mini'
import type { SyncError } from '../../src/base/errors.js'
import { createFolding, type Folding } from '../../src/state/folding.js'
import { PersistentMap } from '../../src/base/persistent-map.js'
import { type CoordinatorDefinition, defineCoordinator } from '../../src/schemas/coordinator.js'
import type { ReadMessage } from '../../src/schemas/reader.js'
import { createManualClock, type ManualClock } from '../../src/testing/clock.js'

// A small protocol that has one of everything a coordinator can do.

export const receive = {
  PUT: z.object({ id: z.string(), text: z.string() }),
  TAKEN: z.object({ id: z.string() }),
  TITLE: z.object({ title: z.string() }),
  HERE: z.object({ id: z.string() }),
  NOISE: null,
} as const

export interface Note {
  readonly text: string
}

export interface Peer {
  readonly isSure: boolean
}

export interface Board {
  readonly notes: PersistentMap<Note>
  readonly peers: PersistentMap<Peer>
  readonly title: string
  readonly connections: number
}

export type BoardDefinition = CoordinatorDefinition<typeof receive, Board, typeof titleSchema>

const titleSchema = z.object({ title: z.string() })

export const initial: Board = {
  notes: PersistentMap.empty(),
  peers: PersistentMap.empty(),
  title: '',
  connections: 0,
}

/** Notes that say `done` leave after 5 s; the text `throw` makes a fold throw. */
export const board: BoardDefinition = defineCoordinator(receive, {
  initial,
  fold: {
    PUT(state, { data: { id, text } }) {
      state.notes.set(id, { text })
      state.title = `last put: ${id}`
      if (text === 'throw') throw new Error('fold')
    },
    TAKEN: (state, { data }) => ({ ...state, notes: state.notes.delete(data.id) }),
    TITLE(state, { data }) {
      state.title = data.title
    },
    HERE(state, { data }) {
      state.peers.set(data.id, { isSure: true })
    },
  },
  expire: { notes: { when: ({ text }) => text === 'done', afterMs: 5_000 } },
  snapshot: {
    schema: titleSchema,
    fold(state, { title }, seen) {
      if (!seen.has('TITLE')) state.title = title
    },
  },
  presence: {
    field: 'peers',
    unconfirm: () => ({ isSure: false }),
    isUnconfirmed: ({ isSure }) => !isSure,
    leaveAfterMs: 60_000,
  },
  opened(state) {
    state.connections += 1
  },
})

export interface Bench {
  readonly folding: Folding<Board>
  readonly clock: ManualClock
  readonly errors: SyncError[]
  /** Folds messages in one batch and publishes it. */
  readonly batch: (...messages: ReadMessage[]) => boolean
}

/** A folding on a clock that is driven by hand. */
export function createBench(definition: Partial<BoardDefinition> = {}): Bench {
  const clock = createManualClock()
  const errors: SyncError[] = []
  const folding = createFolding(
    { ...board, ...definition },
    { clock, report: (error) => errors.push(error) },
  )
  return {
    folding,
    clock,
    errors,
    batch(...messages) {
      for (const one of messages) folding.fold(one)
      return folding.commit()
    },
  }
}

const meta = { timestamp: undefined, deviceId: undefined, userId: undefined }

export const put = (id: string, text = ''): ReadMessage => message('PUT', { id, text })
export const taken = (id: string): ReadMessage => message('TAKEN', { id })
export const title = (text: string): ReadMessage => message('TITLE', { title: text })
export const here = (id: string): ReadMessage => message('HERE', { id })

export function message(type: keyof typeof receive, data?: unknown): ReadMessage {
  return { type, data, meta }
}

/** A state as plain data. */
export function plain(state: Board) {
  return {
    notes: [...state.notes].map(([id, { text }]) => `${id}: ${text}`),
    peers: [...state.peers].map(([id, { isSure }]) => (isSure ? id : `${id}?`)),
    title: state.title,
  }
}
