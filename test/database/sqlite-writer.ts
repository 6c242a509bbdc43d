// A process that adds rows to a log, for tests that kill it. It prints each row that was confirmed.
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { numberKey } from '../../src/database/database.js'

const [path = '', name = ''] = process.argv.slice(2)
const database = createSqliteDatabase(path, {
  onError: ({ code }) => {
    process.stdout.write(`${code}\n`)
  },
})

for (let turn = 0; ; turn += 1) {
  const id = `${name}-${turn}`
  await database.transact([{ table: 'count', key: 'n' }], ({ rows: [rows] }) => {
    const next = Number(rows?.[0]?.value ?? 0) + 1
    return {
      writes: [
        { table: 'count', key: 'n', value: String(next) },
        { table: 'log', key: numberKey(next), value: id },
      ],
      result: undefined,
    }
  })
  process.stdout.write(`${id}\n`)
  // Gives the others a chance to be the next.
  await new Promise(setImmediate)
}
