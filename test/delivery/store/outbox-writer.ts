// A process with an outbox in files, which prints each message that the store confirmed, one a line.
import { createFileOutboxStore } from '../../../src/delivery/store/node.js'
import type { StoredMessage } from '../../../src/delivery/store/outbox-store.js'

const [directory = '', job = ''] = process.argv.slice(2)
const store = createFileOutboxStore({ directory, pollMs: 20 })
const say = (line: string) => process.stdout.write(`${line}\n`)

function message(id: string): StoredMessage {
  // Large enough to be torn.
  const text = 'x'.repeat(20_000)
  return { id, type: 'SAY', payload: { text }, acceptedAt: Date.now(), priority: 0 }
}

let made = 0
const nextId = () => `${process.pid}-${(made += 1)}`

if (job === 'add') {
  for (;;) {
    const ids = [nextId(), nextId(), nextId()]
    await Promise.all(
      ids.map(async (id) => {
        await store.add([message(id)])
        say(id)
      }),
    )
  }
}

const owned = await store.acquire(new AbortController().signal)
if (job === 'own') {
  for (;;) {
    const id = nextId()
    await (made % 2 === 0 ? store.add([message(id)]) : owned.write({ put: [message(id)] }))
    say(id)
  }
}

say(String(owned.fence))
if (job === 'hold') {
  store.watch({
    added: (messages) => {
      void owned.write({
        remove: messages.map(({ id }) => ({ id, outcome: { outcome: 'delivered' } })),
      })
    },
    removed: () => undefined,
  })
} else {
  try {
    for (;;) {
      const id = nextId()
      await owned.write({ put: [message(id)] })
      say(id)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  } catch {
    say(owned.lost.aborted ? 'lost' : 'failed')
    await store.close()
  }
}
