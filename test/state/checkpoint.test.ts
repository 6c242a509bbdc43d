import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import type { SyncError } from '../../src/base/errors.js'
import { createFolding } from '../../src/state/folding.js'
import { PersistentMap } from '../../src/base/persistent-map.js'
import { defineCoordinator } from '../../src/schemas/coordinator.js'
import { createManualClock } from '../../src/testing/clock.js'
import { type Board, board, here, type Note, plain, put, receive, taken, title } from './board.js'

const written = z.object({ notes: z.array(z.tuple([z.string(), z.string()])), title: z.string() })

const definition = defineCoordinator(receive, {
  ...board,
  checkpoint: {
    schema: written,
    take: ({ notes, title }: Board) => ({
      notes: [...notes].map(([id, { text }]): [string, string] => [id, text]),
      title,
    }),
    restore(state, { notes, title }) {
      if (title === 'throw') throw new Error('restore')
      state.notes = PersistentMap.from(notes.map(([id, text]): [string, Note] => [id, { text }]))
      state.title = title
    },
  },
})

function createBench(change: Partial<typeof definition> = {}) {
  const clock = createManualClock()
  const errors: SyncError[] = []
  const folding = createFolding(
    { ...definition, ...change },
    { clock, report: (error) => errors.push(error) },
  )
  return { clock, errors, folding, state: () => plain(folding.state) }
}

const message = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('x', 'y', 'done', 'throw'))
    .map(([id, text]) => put(id, text)),
  fc.constantFrom('a', 'b', 'c').map(taken),
  fc.constantFrom('one', 'two').map(title),
)

describe('a checkpoint', () => {
  it('[COORD-32] restores what it was taken of, through JSON, for any messages', () => {
    let expired = 0
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 20, size: 'max' }),
        fc.array(message, { maxLength: 5 }),
        fc.constantFrom(0, 4_999, 5_000, 6_000),
        (before, after, ms) => {
          const source = createBench()
          for (const one of before) source.folding.fold(one)
          source.folding.commit()
          source.clock.advance(ms)
          const size = source.folding.state.notes.size
          const checkpoint: unknown = JSON.parse(JSON.stringify(source.folding.takeCheckpoint()))
          expired += size - source.folding.state.notes.size
          const copy = createBench()
          copy.folding.fold(put('overtaken'))
          expect(copy.folding.restoreCheckpoint(checkpoint)).toBe(true)
          for (const bench of [source, copy]) {
            for (const one of after) bench.folding.fold(one)
            bench.folding.commit()
          }
          expect(copy.state()).toEqual(source.state())
        },
      ),
      // With fewer runs, now and then too few entries expire for the last expectation.
      { numRuns: 400 },
    )
    expect(expired).toBeGreaterThan(10)
  })

  it('[COORD-32] has what it restores decide anew when it leaves, and leaves peers alone', () => {
    const { folding, clock, state } = createBench()
    folding.fold(here('peer'))
    expect(folding.restoreCheckpoint({ notes: [['a', 'done']], title: 't' })).toBe(true)
    folding.commit()
    expect(state()).toEqual({ notes: ['a: done'], peers: ['peer'], title: 't' })
    expect(folding.nextExpiryAt()).toBe(clock.now() + 5_000)
    clock.advance(5_000)
    folding.removeExpired()
    expect(state().notes).toEqual([])
  })

  it('[COORD-33] that does not fit, or cannot be restored, is reported and changes nothing', () => {
    const { folding, errors, state } = createBench()
    folding.fold(put('a', 'x'))
    expect(folding.restoreCheckpoint({ notes: 5 })).toBe(false)
    expect(folding.restoreCheckpoint({ notes: [], title: 'throw' })).toBe(false)
    folding.commit()
    expect(errors.map(({ code }) => code)).toEqual(['snapshot-failed', 'fold-threw'])
    expect(errors[0]?.message).toMatch(
      /^the server's state does not fit the checkpoint's schema: ./,
    )
    expect(errors[1]?.message).toContain('coordinator.checkpoint.restore ')
    expect(state().notes).toEqual(['a: x'])
  })

  it('[COORD-33] that cannot be written is reported and is none', () => {
    const checkpoint = {
      ...definition.checkpoint!,
      take() {
        throw new Error('take')
      },
    }
    const { folding, errors } = createBench({ checkpoint })
    expect(folding.takeCheckpoint()).toBeUndefined()
    expect(errors.map(({ code }) => code)).toEqual(['fold-threw'])
    expect(errors[0]?.message).toContain('coordinator.checkpoint.take ')
  })

  it('[COORD-33] is none where the protocol has none', () => {
    const folding = createFolding(board, { clock: createManualClock(), report: () => undefined })
    expect(folding.takeCheckpoint()).toBeUndefined()
    expect(folding.restoreCheckpoint({})).toBe(false)
  })

  it.each(['schema', 'take', 'restore'])('[COORD-12] needs a %s that makes sense', (part) => {
    const checkpoint = { ...definition.checkpoint!, [part]: 5 }
    expect(() => createBench({ checkpoint })).toThrow(
      expect.objectContaining({
        code: 'protocol-invalid',
        message: expect.stringContaining(`coordinator.checkpoint.${part}`) as string,
      }) as Error,
    )
  })
})
