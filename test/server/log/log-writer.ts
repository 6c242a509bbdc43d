// A process that writes to an SQLite log, and says what it was told is there, until it is killed.
import { createSqliteLog } from '../../../src/server/log/sqlite.js'
import { headOf } from '../../../src/server/log/user-log.js'

const [path = ''] = process.argv.slice(2)
const log = await createSqliteLog(path, { leaseMs: 100 })

async function write(userId: string): Promise<void> {
  const user = await log.open(userId)
  let next = headOf(user) + 1
  for (;;) {
    await log.commit(userId, {
      append: [
        { seq: next, type: 'SAID', data: `"${'x'.repeat(300)}"`, timestamp: next, deviceId: 'mac' },
      ],
      marks: [{ deviceId: 'mac', cid: 'out', hwm: next, fence: 1, start: 's', refused: [] }],
      ...(next % 50 === 0 && {
        trim: { first: next - 20, checkpoint: { seq: next - 1, state: String(next - 1) } },
      }),
    })
    process.stdout.write(`${userId} ${user.epoch} ${next}\n`)
    next += 1
  }
}

await Promise.all(['ada', 'bob', 'eve'].map(write))
