import { describe, expect, it } from 'vitest'
import { createMemoryDatabase } from '../../../src/database/memory.js'
import { createMemoryLog } from '../../../src/server/index.js'
import { createDatabaseLog, type DatabaseLog } from '../../../src/server/log/database-log.js'
import { testLog } from './compliance.js'

testLog('memory', () => {
  const log = createMemoryLog()
  return Promise.resolve({
    open: () => Promise.resolve(log),
    reopen() {
      for (const user of ['ada', 'bob']) log.close?.(user)
      return Promise.resolve(log)
    },
  })
})

testLog('a database', () => {
  const database = createMemoryDatabase()
  return Promise.resolve({
    open: () => createDatabaseLog(database),
    async reopen(log) {
      await (log as DatabaseLog).end()
      return createDatabaseLog(database.open())
    },
  })
})

describe('a log in memory', () => {
  it('[DSRV-31] forgets users that nobody needs, the least recently used first', async () => {
    let epochs = 0
    const log = createMemoryLog({ maxUsers: 2, makeEpoch: () => `${(epochs += 1)}` })
    for (const user of ['ada', 'bob', 'ada', 'eve']) {
      await log.open(user)
      log.close!(user)
    }
    log.close!('nobody')
    expect(await log.open('ada')).toMatchObject({ epoch: '1' })
    expect(await log.open('bob')).toMatchObject({ epoch: '4' })
    const invalid = expect.objectContaining({ code: 'option-invalid' }) as unknown
    expect(() => createMemoryLog({ maxUsers: 0 })).toThrow(invalid)
  })
})
