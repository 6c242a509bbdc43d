import {
  type CommonOptions,
  createSyncClient,
  defineProtocol,
  type Envelope,
  PersistentMap,
  type SyncError,
} from 'statewire'
import { createDelivery, type DeliveryOptions } from 'statewire/delivery'
import {
  createFakeTransport,
  createManualClock,
  createSeededRandom,
  type FakeTransport,
  type ManualClock,
} from 'statewire/testing'
import type { Database } from 'statewire/storage'
import * as z from 'zod'
import type { OutboxRules } from '../../src/schemas/outbox-rule.js'
import { createModelServer, type ModelServer } from './model-server.js'

/** A protocol whose state is all that was said. */
export const chat = defineProtocol({
  receive: { SAID: z.object({ id: z.string(), text: z.string() }) },
  send: { SAY: z.object({ text: z.string() }), NOTE: z.object({ text: z.string() }), BYE: null },
  outbox: { NOTE: { keepLatestBy: ({ text }) => text.slice(0, 1) } },
  backoff: { stepsMs: [1_000], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
  coordinator: {
    initial: { lines: PersistentMap.empty<string>() },
    fold: {
      SAID: (draft, { data: { id, text } }) => {
        draft.lines.set(id, text)
      },
    },
    checkpoint: {
      schema: z.array(z.tuple([z.string(), z.string()])),
      take: ({ lines }) => [...lines],
      restore: (draft, lines) => {
        draft.lines = PersistentMap.from(lines)
      },
    },
  },
})

/** Options of {@link createBench}. */
export interface BenchOptions {
  readonly delivery?: DeliveryOptions
  /** A protocol without state in place of the chat. */
  readonly protocol?: object
  /** Rules in place of the protocol's. */
  readonly outbox?: OutboxRules<typeof chat.send>
  /** An envelope in place of the protocol's. */
  readonly envelope?: Envelope
  readonly client?: Partial<CommonOptions>
  /** A world that goes on from another client's. */
  readonly world?: World
}

/** What outlives a client: time, network, server. */
export interface World {
  readonly clock: ManualClock
  readonly network: FakeTransport
  readonly server: ModelServer
}

/** Makes a world with a server that has delivery. */
export function createWorld(latencyMs = 0): World {
  const clock = createManualClock()
  const network = createFakeTransport({ clock, protocol: chat, latencyMs })
  return { clock, network, server: createModelServer(network) }
}

let ids = 0

/** A client with delivery, and what it gave. */
export function createBench({
  delivery,
  outbox,
  envelope,
  client,
  protocol: base = chat,
  world = createWorld(),
}: BenchOptions = {}) {
  const { clock, network, server } = world
  const errors: SyncError[] = []
  const heard: string[] = []
  const protocol = {
    ...(base as typeof chat),
    ...(outbox !== undefined && { outbox }),
    ...(envelope !== undefined && { envelope }),
  }
  const sync = createSyncClient(protocol, {
    url: 'ws://server.test/ws',
    transport: network,
    clock,
    environment: { watch: () => () => undefined },
    random: createSeededRandom(1),
    onError: (error) => errors.push(error),
    delivery: createDelivery({
      makeId() {
        ids += 1
        return `id-${ids}`
      },
      ...delivery,
    }),
    ...client,
  })
  sync.on('SAID', ({ data }) => {
    heard.push(data.text)
  })
  return {
    world,
    clock,
    network,
    peer: network.peer,
    server,
    sync,
    errors,
    /** The texts that were heard, in order. */
    heard,
    /** The texts in the state. */
    texts: () => [...sync.state.lines.values()],
    say: (text: string) => sync.send('SAY', { text }),
    settle: (): Promise<void> => clock.advanceAsync(0),
  }
}

/** The payloads of the messages that a database has. */
export async function readMessages(database: Database, key = 'default'): Promise<unknown[]> {
  const tables = ['messages', 'inbox'].map((table) => ({ table: `outbox/${key}/${table}` }))
  const rows = await database.transact(tables, (found) => ({ result: found.rows.flat() }))
  return rows.map(({ value }) => {
    const { message } = JSON.parse(value) as { readonly message: { readonly payload: unknown } }
    return message.payload
  })
}
