import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Database, Row, Write } from '../../../src/database/database.js'
import { createMemoryDatabase } from '../../../src/database/memory.js'
import type { DeliveryLog, UserLog } from '../../../src/server/index.js'
import { createDatabaseLog } from '../../../src/server/log/database-log.js'
import { createManualClock } from '../../../src/testing/clock.js'

const invalid = { code: 'option-invalid' }
const said = (seq: number) => ({ seq, type: 'SAID', timestamp: seq, deviceId: 'mac' })
const mark = { deviceId: 'mac', cid: 'out', hwm: 1, fence: 1, start: 's', refused: [] }
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A database that counts its transactions, and whose history the test sets. */
function watchDatabase(rows: Database) {
  const watched = { transactions: 0, history: '', isFull: false }
  const database: Database = {
    transact(reads, change) {
      watched.transactions += 1
      if (watched.isFull) return Promise.reject(new Error('disk full'))
      return rows.transact(reads, (found) =>
        change({ ...found, history: found.history + watched.history }),
      )
    },
    watch: (changed) => rows.watch(changed),
    close: () => rows.close(),
  }
  return Object.assign(watched, { database })
}

/** Deletes rows behind the log's back. */
async function damage(
  database: Database,
  tables: readonly string[],
  isLost: (row: Row, table: string) => boolean,
): Promise<number> {
  return database.transact(
    tables.map((table) => ({ table })),
    ({ rows }) => {
      const writes = tables.flatMap((table, index): Write[] =>
        (rows[index] ?? [])
          .filter((row) => isLost(row, table))
          .map(({ key }) => ({ table, key, value: undefined })),
      )
      return { writes, result: writes.length }
    },
  )
}

describe('a transaction of a log', () => {
  it('[DSRV-32] has the commits of all users that come in one turn, or during a transaction', async () => {
    const watched = watchDatabase(createMemoryDatabase())
    const log = await createDatabaseLog(watched.database)
    const users = ['ada', 'bob', 'eve']
    const epochs = new Map<string, string>()
    for (const user of users) epochs.set(user, (await log.open(user)).epoch)
    const commit = (user: string, seq: number) => log.commit(user, { append: [said(seq)] })
    const before = watched.transactions
    await Promise.all(users.map((user) => commit(user, 1)))
    expect(watched.transactions - before).toBe(1)
    const first = commit('ada', 2)
    await turn()
    await Promise.all([first, commit('bob', 2), commit('eve', 2)])
    expect(watched.transactions - before).toBe(3)
  })

  it('[DSRV-32] that fails has written nothing; the user is opened again before the next', async () => {
    const watched = watchDatabase(createMemoryDatabase())
    const log = await createDatabaseLog(watched.database)
    await log.open('ada')
    await expect(log.commit('bob', {})).rejects.toThrow('not open')
    watched.isFull = true
    const change = { append: [said(1)], marks: [mark] }
    await expect(log.commit('ada', change)).rejects.toThrow('disk full')
    watched.isFull = false
    await expect(log.commit('ada', change)).rejects.toThrow('not open')
    // Nothing was ever written of the user.
    const again = await log.open('ada')
    expect(again).toMatchObject({ first: 1, messages: [], marks: [] })
    await log.commit('ada', change)
    expect(await log.open('ada')).toMatchObject({ messages: [said(1)], marks: [mark] })
  })
})

describe('the owner of a log', () => {
  it('[DSRV-33] is one server: another is refused while it answers, and follows it at once after its end', async () => {
    const clock = createManualClock()
    const database = createMemoryDatabase()
    const log = await createDatabaseLog(database, { clock })
    const { epoch } = await log.open('ada')
    await expect(createDatabaseLog(database.open(), { clock })).rejects.toMatchObject(invalid)
    const written = log.commit('ada', { append: [said(1)] })
    await log.end()
    await written
    await expect(log.open('ada')).rejects.toThrow('ended')
    await expect(log.commit('ada', {})).rejects.toThrow('ended')
    const next = await createDatabaseLog(database.open(), { clock })
    expect(await next.open('ada')).toMatchObject({ epoch, messages: [said(1)] })
    await expect(createDatabaseLog(database, { leaseMs: -1 })).rejects.toMatchObject(invalid)
    expect(clock.pending.count).toBe(0)
  })

  it('[DSRV-33] that is silent for the lease is followed, and writes nothing any more', async () => {
    const clock = createManualClock()
    const database = createMemoryDatabase()
    const log = await createDatabaseLog(database, { clock })
    await log.open('ada')
    await log.commit('ada', { append: [said(1)] })
    const thaw = database.freeze()
    let isOpen = false
    const opening = createDatabaseLog(database.open(), { clock }).then((opened) => {
      isOpen = true
      return opened
    })
    await turn()
    clock.advance(2_999)
    await turn()
    expect(isOpen).toBe(false)
    clock.advance(1)
    const next = await opening
    const late = log.commit('ada', { append: [said(2)] })
    late.catch(() => undefined)
    await next.open('ada')
    await next.commit('ada', { append: [{ ...said(2), deviceId: 'next' }] })
    expect(log.lost.aborted).toBe(false)
    thaw()
    await expect(late).rejects.toThrow('another server owns the log by now')
    expect(log.lost.reason).toMatchObject({ message: 'another server owns the log by now' })
    await expect(log.open('ada')).rejects.toThrow('another')
    await log.end()
    const { messages } = await next.open('ada')
    expect(messages.map(({ deviceId }) => deviceId)).toEqual(['mac', 'next'])
  })
})

describe('a log that is lost', () => {
  it('[DSRV-33] says so without a commit', async () => {
    const clock = createManualClock()
    const database = createMemoryDatabase()
    const log = await createDatabaseLog(database, { clock })
    const thaw = database.freeze()
    const opening = createDatabaseLog(database.open(), { clock })
    await turn()
    clock.advance(3_000)
    const next = await opening
    thaw()
    await turn()
    expect(log.lost.reason).toMatchObject({ message: 'another server owns the log by now' })
    await log.end()
    await next.end()
    expect(next.lost.aborted).toBe(false)
  })

  it('[DSRV-34] tells that its database has lost its data', async () => {
    const database = createMemoryDatabase()
    const log = await createDatabaseLog(database)
    await log.open('ada')
    const written = log.commit('ada', { append: [said(1)] })
    database.clear()
    const message = "the log's database has lost its data"
    await expect(written).rejects.toThrow(message)
    expect(log.lost.reason).toMatchObject({ message })
    // It is not the owner of the new, empty database.
    await expect(log.open('ada')).rejects.toThrow(message)
    await log.end()
  })
})

const tables = ['log/user/ada', 'log/messages/ada']

/** Writes messages one by one; the state is the list of their timestamps. */
async function fill(log: DeliveryLog, count: number, trimmedAt: number): Promise<string> {
  const { epoch } = await log.open('ada')
  for (let seq = 1; seq <= count; seq += 1) {
    const state = JSON.stringify(Array.from({ length: seq }, (_, at) => at + 1))
    await log.commit('ada', {
      append: [said(seq)],
      marks: [{ ...mark, cid: `out-${seq % 3}`, hwm: seq }],
      ...(seq === trimmedAt && { trim: { first: seq - 1, checkpoint: { seq, state } } }),
    })
  }
  return epoch
}

/** The state that a server would make of a log; `undefined` if it would make none. */
function stateOf({ first, messages, checkpoint }: UserLog): readonly number[] | undefined {
  if (checkpoint === undefined ? first !== 1 : first > checkpoint.seq + 1) return undefined
  const since = checkpoint?.seq ?? 0
  const before = checkpoint === undefined ? [] : (JSON.parse(checkpoint.state) as number[])
  return [...before, ...messages.filter(({ seq }) => seq > since).map((one) => one.timestamp)]
}

describe('a log that has lost rows', () => {
  it('[DSRV-34] has a new epoch and what is whole, and never a false state', async () => {
    const seen = { kept: 0, unknown: 0, same: 0 }
    const damages = fc.record({
      count: fc.integer({ min: 1, max: 12 }),
      trimmedAt: fc.integer({ min: 2, max: 14 }),
      lost: fc.array(fc.nat({ max: 19 }), { maxLength: 3 }),
      isNoticed: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(damages, async ({ count, trimmedAt, lost, isNoticed }) => {
        const rows = createMemoryDatabase()
        const watched = watchDatabase(rows)
        const log = await createDatabaseLog(watched.database)
        const epoch = await fill(log, count, trimmedAt)
        const before = await log.open('ada')
        let at = -1
        const losses = await damage(rows, tables, () => lost.includes((at += 1)))
        // Rows vanish only if the history says so, but a gap is noticed anyway.
        if (isNoticed || losses > 0) watched.history = 'new'
        const opened = await log.open('ada')
        // A user of whom nothing is left has another epoch at each opening.
        if (losses <= at) expect(await log.open('ada')).toEqual(opened)
        if (watched.history === '') {
          seen.same += 1
          expect(opened).toEqual(before)
          return
        }
        expect(opened.epoch).not.toBe(epoch)
        expect(opened.messages.map(({ seq }) => seq)).toEqual(
          opened.messages.map((_, index) => opened.first + index),
        )
        const left = opened.messages.map(({ timestamp }) => timestamp)
        expect(left).toEqual([...left].sort((a, b) => a - b))
        expect(before.marks).toEqual(expect.arrayContaining([...opened.marks]))
        const state = stateOf(opened)
        seen[state === undefined ? 'unknown' : 'kept'] += 1
        const whole = Array.from({ length: count }, (_, index) => index + 1)
        if (state !== undefined) expect(state).toEqual(whole)
        if (losses === 0) expect(state).toEqual(stateOf(before))
        // It goes on from there.
        const next = opened.first + opened.messages.length
        await log.commit('ada', { append: [said(next)] })
        expect((await log.open('ada')).messages).toHaveLength(opened.messages.length + 1)
      }),
      { numRuns: 300 },
    )
    for (const [what, times] of Object.entries(seen))
      expect([what, times > 10]).toEqual([what, true])
  })

  it('[DSRV-34] notices a message that is missing, and a loss during its work', async () => {
    const rows = createMemoryDatabase()
    const watched = watchDatabase(rows)
    const log = await createDatabaseLog(watched.database)
    const epoch = await fill(log, 5, 99)
    await damage(rows, ['log/messages/ada'], ({ key }) => Number(key) === 3)
    const opened = await log.open('ada')
    expect(opened.epoch).not.toBe(epoch)
    expect(opened.messages.map(({ seq, timestamp }) => [seq, timestamp])).toEqual([
      [3, 1],
      [4, 2],
      [5, 4],
      [6, 5],
    ])
    expect(opened.first).toBe(3)
    watched.history = 'new'
    const change = { append: [said(7)] }
    await expect(log.commit('ada', change)).rejects.toThrow('lost rows')
    const again = await log.open('ada')
    expect(again.epoch).not.toBe(opened.epoch)
    expect(again.messages).toHaveLength(4)
  })
})
