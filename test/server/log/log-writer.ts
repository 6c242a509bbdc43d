// A process that writes to a file log, and says what it was told is there, until it is killed.
import { openFileLog } from '../../../src/server/file-log/index.js'
import { headOf } from '../../../src/server/log/user-log.js'

const [directory = ''] = process.argv.slice(2)
const log = await openFileLog({ directory, maxJournalBytes: 20_000, lockTimeoutMs: 10_000 })

async function write(userId: string): Promise<void> {
  const user = await log.open(userId)
  let next = headOf(user) + 1
  for (;;) {
    await log.commit(userId, {
      epoch: user.epoch,
      append: [
        { seq: next, type: 'SAID', data: `"${'x'.repeat(300)}"`, timestamp: next, deviceId: 'mac' },
      ],
      marks: [{ deviceId: 'mac', cid: 'out', hwm: next, fence: 1, refused: [] }],
      ...(next % 50 === 0 && {
        trim: { first: next - 20, checkpoint: { seq: next - 1, state: String(next - 1) } },
      }),
    })
    process.stdout.write(`${userId} ${user.epoch} ${next}\n`)
    next += 1
  }
}

await Promise.all(['ada', 'bob', 'eve'].map(write))
