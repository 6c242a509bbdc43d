import { createMemoryDatabase } from '../../src/database/memory.js'
import { describeDatabase } from './compliance.js'

describeDatabase('a database in memory', () => {
  const database = createMemoryDatabase()
  return { open: () => database.open(), poll: () => Promise.resolve() }
})
