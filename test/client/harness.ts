import {
  type Clock,
  type CommonOptions,
  createSyncClient,
  defineProtocol,
  type EnvironmentSignal,
  type EnvironmentSource,
  PersistentMap,
  type SyncError,
} from 'statewire'
import { createFakeTransport, createManualClock, createSeededRandom } from 'statewire/testing'
import * as z from 'zod'

const line = z.object({ id: z.string(), text: z.string() })

/** A protocol with a bit of everything, apart from Kull's. */
export const chat = defineProtocol({
  receive: { SAID: line, LEFT: z.object({ id: z.string() }), NOTICE: null },
  send: { SAY: z.object({ text: z.string(), tags: z.array(z.string()).optional() }), BYE: null },
  credentials: {
    schema: z.object({ token: z.string().min(1) }),
    apply: (request, { token }) => {
      request.url.searchParams.set('token', token)
    },
  },
  backoff: { stepsMs: [1_000, 2_000, 4_000], jitter: 'none', maxAttempts: 3 },
  coordinator: {
    initial: { lines: PersistentMap.empty<z.infer<typeof line>>(), notices: 0, topic: '' },
    fold: {
      SAID: (draft, { data }) => {
        draft.lines = draft.lines.set(data.id, data)
      },
      LEFT: (state, { data }) => ({ ...state, lines: state.lines.delete(data.id) }),
      NOTICE: (draft) => {
        draft.notices += 1
      },
    },
    snapshot: {
      schema: z.object({ topic: z.string() }),
      fold: (draft, { topic }) => {
        draft.topic = topic
      },
    },
  },
})

/** A source of signals that the test plays. */
function createPlayedEnvironment() {
  let heard: ((signal: EnvironmentSignal) => void) | undefined
  const environment: EnvironmentSource = {
    watch(signal) {
      heard = signal
      return () => {
        heard = undefined
      }
    },
  }
  return {
    environment,
    signal: (signal: EnvironmentSignal): void => heard?.(signal),
    get isWatched() {
      return heard !== undefined
    },
  }
}

/** A client on a fake network under a clock driven by hand, and what it gave. */
export function createHarness(
  change: Partial<CommonOptions> | ((clock: Clock) => Partial<CommonOptions>) = {},
) {
  const clock = createManualClock()
  const options = typeof change === 'function' ? change(clock) : change
  const network = createFakeTransport({ clock, protocol: chat })
  const played = createPlayedEnvironment()
  const errors: SyncError[] = []
  let loads = 0
  const sync = createSyncClient(chat, {
    url: 'ws://server.test/ws',
    credentials: { token: 'canary-token' },
    transport: network,
    clock,
    environment: played.environment,
    random: createSeededRandom(1),
    onError: (error) => errors.push(error),
    loadSnapshot: () => {
      loads += 1
      return { topic: `loaded ${loads}` }
    },
    ...options,
  })
  return {
    clock,
    network,
    peer: network.peer,
    sync,
    errors,
    signal: played.signal,
    get isWatched() {
      return played.isWatched
    },
    get loads() {
      return loads
    },
    /** Lets everything happen that needs no time. */
    settle: (): Promise<void> => clock.advanceAsync(0),
  }
}

/** A harness, as `createHarness` gives it. */
export type Harness = ReturnType<typeof createHarness>

/** The five states of a connection. */
export const states = ['disconnected', 'connecting', 'connected', 'reconnecting', 'failed'] as const

/** Brings a new client into a state, by way of `connect()` and what the server does. */
export async function bring(harness: Harness, state: (typeof states)[number]): Promise<void> {
  const { sync, peer, settle } = harness
  switch (state) {
    case 'disconnected':
      break
    case 'connecting':
      peer.onNextAttempt().staysSilent()
      sync.connect()
      break
    case 'connected':
      sync.connect()
      break
    case 'reconnecting':
      peer.onNextAttempt().isUnreachable()
      sync.connect()
      break
    case 'failed':
      peer.onNextAttempt().refuses(1008, 'not you')
      sync.connect()
      break
    default:
      state satisfies never
  }
  await settle()
}
