import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyValueStore } from '../../src/storage/store.js'

/** One kind of store: two handles on the same place, as two tabs or two processes have. */
export interface StoreUnderTest {
  readonly first: KeyValueStore
  readonly second: KeyValueStore
  /** How long a key may be. Default 240. */
  readonly longestKey?: number
  readonly close?: () => void | Promise<void>
}

/** What every store must do, whatever it is made of. */
export function describeStore(kind: string, open: () => StoreUnderTest | Promise<StoreUnderTest>) {
  describe(kind, () => {
    let place: StoreUnderTest
    beforeEach(async () => {
      place = await open()
    })
    afterEach(() => place.close?.())
    const longest = (): string => 'x'.repeat(place.longestKey ?? 240)

    it('[STOR-1] keeps text by key, for every handle on the same place', async () => {
      const { first, second } = place
      expect(await first.get('a')).toBeUndefined()
      await first.set('a', 'one')
      expect(await second.get('a')).toBe('one')
      await second.set('a', '')
      expect(await first.get('a')).toBe('')
      await first.delete('a')
      await first.delete('a')
      expect(await second.get('a')).toBeUndefined()
    })

    it('[STOR-1] takes any text and any printable key', async () => {
      const { first, second } = place
      const texts = ['', '\u0000', 'a\nb', '\u{1F4F7} 写真', '"}', 'x'.repeat(100_000)]
      const keys = ['a', 'A', '.', '..', 'a/b', 'a:b?*|<>"\\', '~lock', '%2f', longest()]
      for (const key of keys) {
        for (const text of texts) {
          await first.set(key, text)
          expect(await second.get(key)).toBe(text)
        }
      }
      expect([...(await second.keys())].sort()).toEqual([...keys].sort())
    })

    it('[STOR-2] refuses a key that not every store can take', async () => {
      for (const key of ['', 'é', 'a\nb', `${longest()}x`, 'A'.repeat(81)]) {
        await expect(place.first.set(key, 'v')).rejects.toMatchObject({ code: 'option-invalid' })
        await expect(place.first.update(key, () => 'v')).rejects.toMatchObject({
          code: 'option-invalid',
        })
      }
      expect(await place.first.keys()).toEqual([])
    })

    it('[STOR-3] lists the keys that have a value', async () => {
      const { first, second } = place
      expect(await first.keys()).toEqual([])
      await first.set('a', '1')
      await second.set('b', '2')
      await first.update('c', () => '3')
      await first.delete('a')
      expect([...(await second.keys())].sort()).toEqual(['b', 'c'])
    })

    it('[STOR-4] replaces a value by what is made of it, and gives what then stands', async () => {
      const { first, second } = place
      expect(await first.update('a', (current) => `${current ?? 'none'}+`)).toBe('none+')
      expect(await second.update('a', (current) => `${current ?? 'none'}+`)).toBe('none++')
      expect(await first.update('a', () => undefined)).toBeUndefined()
      expect(await second.get('a')).toBeUndefined()
    })

    it('[STOR-4] loses no update of several at once', async () => {
      const { first, second } = place
      const increment = (current: string | undefined): string => String(Number(current ?? 0) + 1)
      await Promise.all(
        Array.from({ length: 10 }, (_, at) => (at % 2 ? first : second).update('n', increment)),
      )
      expect(await first.get('n')).toBe('10')
    })

    it('[STOR-4] rejects with what the change threw, and changes nothing', async () => {
      await place.first.set('a', 'one')
      const thrown = new Error('not today')
      await expect(
        place.first.update('a', () => {
          throw thrown
        }),
      ).rejects.toBe(thrown)
      expect(await place.second.get('a')).toBe('one')
      await place.second.set('a', 'two')
      expect(await place.first.get('a')).toBe('two')
    })
  })
}
