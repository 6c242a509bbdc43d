// A process that adds to a journal, and says what it was told is there, until it is killed.
import { openJournal } from '../../src/storage/node-journal.js'

const [file = ''] = process.argv.slice(2)
const journal = await openJournal({ file })
let next = journal.records.length

for (;;) {
  const numbers = [next, next + 1, next + 2]
  next += 3
  // Long enough that a kill may fall in the middle of a record.
  const write =
    next % 100 < 3
      ? journal.rewrite(Array.from({ length: next }, (_, index) => recordOf(index)))
      : Promise.all(numbers.map((number) => journal.append([recordOf(number)])))
  await write
  process.stdout.write(`${next}\n`)
}

function recordOf(number: number): string {
  return `${number}:${'x'.repeat(3_000)}`
}
