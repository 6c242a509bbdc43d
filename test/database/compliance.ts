import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Change, type Database, numberKey, type Write } from '../../src/database/database.js'

/** One kind of database. This file imports nothing of Node: browsers run it too. */
export interface DatabaseUnderTest {
  /** Opens a handle on the same rows, as another tab or another process does. */
  open(): Database
  /** Lets the poll interval of the handles pass. */
  poll(): Promise<void>
  /** Whether handles tell their watchers at each poll, whatever was written. */
  readonly tellsAtEachPoll?: boolean
  close?(): Promise<void>
}

const TEXTS = ['', '\0', 'a\0b', '"', '"}', '{"a":1}', '\ud800', 'a\udc00b', '\u{1F4F7} 写真']

/** What every database must do, whatever it is made of. */
export function describeDatabase(
  kind: string,
  prepare: () => DatabaseUnderTest | Promise<DatabaseUnderTest>,
): void {
  describe(kind, () => {
    let place: DatabaseUnderTest
    let first: Database
    let second: Database
    beforeEach(async () => {
      place = await prepare()
      first = place.open()
      second = place.open()
    })
    afterEach(async () => {
      await first.close()
      await second.close()
      await place.close?.()
    })

    it('[DB-1] makes all writes of a transaction or none', async () => {
      await write(first, { key: 'a', value: '1' }, { key: 'b', value: '2' })
      await expect(
        first.transact([], () => {
          throw new Error('not today')
        }),
      ).rejects.toThrow('not today')
      expect(await keys(second)).toEqual(['a', 'b'])
      await write(second, { key: 'a', value: undefined }, { key: 'c', value: '3' })
      expect(await keys(first)).toEqual(['b', 'c'])
    })

    it('[DB-1] makes the last of several writes to one row', async () => {
      await write(first, { key: 'a', value: '1' }, { key: 'a', value: undefined })
      expect(await keys(first)).toEqual([])
      await write(first, { key: 'a', value: undefined }, { key: 'a', value: '2' })
      expect(await read(second, 'a')).toBe('2')
    })

    it('[DB-2] makes the transactions of a handle in the order of the calls', async () => {
      const seen: (string | undefined)[] = []
      await Promise.all(
        ['1', '2', '3'].map((value) =>
          first.transact([{ table: 't', key: 'a' }], ({ rows: [rows] }) => {
            seen.push(rows?.[0]?.value)
            return { writes: [{ table: 't', key: 'a', value }], result: undefined }
          }),
        ),
      )
      expect(seen).toEqual([undefined, '1', '2'])
      expect(await read(second, 'a')).toBe('3')
    })

    it('[DB-2] loses no update of handles that write at once', async () => {
      await Promise.all(
        Array.from({ length: 40 }, (_, at) => increment(at % 2 === 0 ? first : second)),
      )
      expect(await read(first, 'n')).toBe('40')
    })

    it('[DB-3] reads a row, the rows after a key, or all, in the order of their keys', async () => {
      const numbers = [10, 9, 1, 100, 2]
      await write(first, ...numbers.map((n) => ({ key: numberKey(n), value: String(n) })))
      await write(first, { table: 'other', key: numberKey(3), value: 'other' })
      const found = await second.transact(
        [
          { table: 't' },
          { table: 't', after: numberKey(9) },
          { table: 't', key: numberKey(2) },
          { table: 't', key: numberKey(3) },
          { table: 'none' },
          { table: 'other' },
        ],
        ({ rows }) => ({ result: rows.map((each) => each.map(({ value }) => value)) }),
      )
      expect(found).toEqual([['1', '2', '9', '10', '100'], ['10', '100'], ['2'], [], [], ['other']])
    })

    it('[DB-3] keeps keys apart that differ in anything, and sorts them by their characters', async () => {
      const names = ['B', 'a', 'A', 'a b', 'a/b', '%', 'é', 'aa', '1']
      await write(first, ...names.map((key) => ({ key, value: `is ${key}` })))
      expect(await keys(second)).toEqual([...names].sort())
      for (const key of names) expect(await read(second, key)).toBe(`is ${key}`)
    })

    it('[DB-4] holds any text, unchanged', async () => {
      const texts = [...TEXTS, 'x'.repeat(1_000_000)]
      await write(first, ...texts.map((value, at) => ({ key: String(at), value })))
      for (const [at, text] of texts.entries()) expect(await read(second, String(at))).toBe(text)
    })

    it('[DB-4] takes any text as a table and as a key, and sorts them as JavaScript does', async () => {
      const names = [...TEXTS, 'a', 'a\0', 'a\t', 'a\t0000', 'a ', '\ue000', '\uffff'].filter(
        Boolean,
      )
      await write(first, ...names.map((key) => ({ key, value: key })))
      await write(first, ...names.map((table) => ({ table, key: table, value: table })))
      expect(await keys(second)).toEqual([...names].sort())
      const found = await second.transact(
        names.flatMap((name) => [
          { table: 't', key: name },
          { table: 't', after: name },
          { table: name },
        ]),
        ({ rows }) => ({ result: rows.map((each) => each.map(({ value }) => value)) }),
      )
      expect(found).toEqual(
        names.flatMap((name) => [[name], names.filter((other) => other > name).sort(), [name]]),
      )
      const third = place.open()
      expect(await keys(third)).toEqual([...names].sort())
      await third.close()
    })

    it('[DB-5] rejects with what the change threw, and goes on', async () => {
      const thrown = { code: 'SQLITE_BUSY' }
      await expect(
        first.transact([{ table: 't' }], (): Change<never> => {
          // eslint-disable-next-line @typescript-eslint/only-throw-error -- users may throw anything
          throw thrown
        }),
      ).rejects.toBe(thrown)
      await increment(first)
      expect(await read(first, 'n')).toBe('1')
    })

    it('[DB-6] has one history for all handles, which stays', async () => {
      const history = await historyOf(first)
      expect(history).not.toBe('')
      await increment(second)
      expect(await historyOf(second)).toBe(history)
      const third = place.open()
      expect(await historyOf(third)).toBe(history)
      await third.close()
    })

    it('[DB-7] tells watchers what another handle wrote, until they stop', async () => {
      await read(first, 'n')
      const changed = vi.fn()
      const twice = vi.fn()
      const stop = first.watch(changed)
      first.watch(twice)
      const stopTwice = first.watch(twice)
      await increment(second)
      await vi.waitFor(async () => {
        await place.poll()
        expect(changed).toHaveBeenCalled()
      })
      expect(twice).toHaveBeenCalledTimes(2 * changed.mock.calls.length)
      stop()
      stopTwice()
      const calls = changed.mock.calls.length
      twice.mockClear()
      await increment(second)
      await vi.waitFor(async () => {
        await place.poll()
        expect(twice).toHaveBeenCalled()
      })
      expect(changed).toHaveBeenCalledTimes(calls)
    })

    it('[DB-7] does not tell a handle of its own writes', async () => {
      if (place.tellsAtEachPoll === true) return
      await read(first, 'n')
      const changed = vi.fn()
      first.watch(changed)
      await place.poll()
      changed.mockClear()
      await increment(first)
      await place.poll()
      await read(first, 'n')
      expect(changed).not.toHaveBeenCalled()
    })

    it('[DB-8] completes what was asked before it closes, and rejects what is asked later', async () => {
      const asked = [increment(first), increment(first)]
      const closing = first.close()
      await expect(increment(first)).rejects.toThrow('closed')
      await closing
      await Promise.all(asked)
      await first.close()
      expect(await read(second, 'n')).toBe('2')
    })
  })
}

/** Makes writes in one transaction, to the table `t` where they name none. */
export function write(
  database: Database,
  ...writes: (Omit<Write, 'table'> & Partial<Write>)[]
): Promise<void> {
  return database.transact([], () => ({
    writes: writes.map((each) => ({ table: 't', ...each })),
    result: undefined,
  }))
}

/** Reads a row of the table `t`. */
export function read(database: Database, key: string): Promise<string | undefined> {
  return database.transact([{ table: 't', key }], ({ rows: [rows] }) => ({
    result: rows?.[0]?.value,
  }))
}

/** Adds one to the row `n` of the table `t`. */
export function increment(database: Database): Promise<void> {
  return database.transact([{ table: 't', key: 'n' }], ({ rows: [rows] }) => ({
    writes: [{ table: 't', key: 'n', value: String(Number(rows?.[0]?.value ?? 0) + 1) }],
    result: undefined,
  }))
}

/** The keys of the table `t`, in the order in which they are read. */
export function keys(database: Database): Promise<string[]> {
  return database.transact([{ table: 't' }], ({ rows: [rows = []] }) => ({
    result: rows.map(({ key }) => key),
  }))
}

/** The history that a transaction is told. */
export function historyOf(database: Database): Promise<string> {
  return database.transact([], ({ history }) => ({ result: history }))
}
