import { describe, expect, it } from 'vitest'
import { createSeededIds, createSeededRandom } from '../../src/testing/random.js'

function draw(seed: number | string, count: number): number[] {
  const random = createSeededRandom(seed)
  return Array.from({ length: count }, random)
}

describe('seeded randomness', () => {
  it('[TEST-9] gives the same numbers for the same seed, for ever', () => {
    expect(draw(1, 3)).toEqual(draw(1, 3))
    expect(draw('one', 3)).toEqual(draw('one', 3))
    expect(draw(1, 3)).not.toEqual(draw(2, 3))
    expect(draw(1, 3)).not.toEqual(draw('1', 3))
    expect(draw(1, 4).map((value) => Math.floor(value * 1_000))).toMatchInlineSnapshot(`
      [
        418,
        186,
        368,
        195,
      ]
    `)
  })

  it('[TEST-9] spreads evenly from 0 up to 1, whatever the seed', () => {
    for (const seed of [0, 1, -1, 2 ** 40, Number.NaN, '']) {
      const values = draw(seed, 10_000)
      expect(values.every((value) => value >= 0 && value < 1)).toBe(true)
      const tenths = Array.from(
        { length: 10 },
        (_, tenth) => values.filter((value) => Math.floor(value * 10) === tenth).length,
      )
      // Five standard deviations of a fair draw.
      for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150)
    }
  })

  it('[TEST-9] gives well-formed UUIDs, the same for the same seed', () => {
    const take = (seed: number) => Array.from({ length: 500 }, createSeededIds(seed))
    expect(take(3)).toEqual(take(3))
    expect(new Set([...take(3), ...take(4)]).size).toBe(1_000)
    for (const id of take(3)) {
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    }
  })
})
