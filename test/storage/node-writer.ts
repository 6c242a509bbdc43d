// A process that writes to a file store until it has done its turns, or is killed.
import { createFileStore } from '../../src/storage/node.js'

const [directory = '', job = '', turns = '0'] = process.argv.slice(2)
const store = createFileStore({ directory, lockTimeoutMs: 60_000 })

for (let turn = 0; turn < Number(turns); turn += 1) {
  if (job === 'count') {
    await store.update('count', (current) => String(Number(current ?? 0) + 1))
  } else if (job === 'make') {
    const made = await store.update('id', (current) => current ?? `made by ${process.pid}`)
    process.stdout.write(`${String(made)}\n`)
  } else {
    // Long enough to be torn, and telling where it was.
    await store.set('text', `${turn} `.repeat(50_000))
    process.stdout.write(`${turn}\n`)
  }
}
