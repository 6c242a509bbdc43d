import type { receive, send } from '../../../src/schemas/kull.js'
import type { DeliveryLog, ServerDeliveryOptions } from '../../../src/server/index.js'
import { createMemoryLog } from '../../../src/server/index.js'
import { progress, startServer as start, type Frame, type TestClient } from '../support.js'

export { progress, type TestClient } from '../support.js'

/** A frame with what delivery puts beside the data. */
export interface NumberedFrame extends Frame {
  readonly seq?: number
  readonly epoch?: string
  readonly id?: string
}

type Options = ServerDeliveryOptions<typeof receive, typeof send>

/** The claim of a device to its only outbox. */
export const claim = { cid: 'out-1', fence: 1 }

/** A server with delivery, its epochs `epoch-1`, `epoch-2` and so on. */
export async function startServer(
  delivery: Options = {},
  options: Parameters<typeof start>[0] = {},
): Promise<
  Awaited<ReturnType<typeof start>> & {
    /** Connects a client with delivery; its token is `user:device`. */
    readonly connectDevice: (token: string) => Promise<DeliveryClient>
  }
> {
  let epochs = 0
  const log = createMemoryLog({ makeEpoch: () => `epoch-${(epochs += 1)}` })
  const server = await start({
    ...options,
    delivery: { log, random: () => 0.5, ...delivery },
  })
  return {
    ...server,
    connectDevice: async (token) =>
      toDeliveryClient(await server.connect(`?token=${token}&caps=1`)),
  }
}

/** A client that sends and records what delivery adds. */
export interface DeliveryClient extends TestClient {
  readonly numbered: NumberedFrame[]
  /** Resumes; resolves with the answer once the roster is complete. */
  resume(payload?: object): Promise<Readonly<Record<string, unknown>>>
  /** Sends progress as message n of an outbox. */
  report(n: number, processedCount?: number, cid?: string): void
  /** The data of the frames of a type, in order. */
  of(type: string): Readonly<Record<string, unknown>>[]
}

/** Gives a client what delivery adds. */
export function toDeliveryClient(client: TestClient): DeliveryClient {
  const frames = client.frames as NumberedFrame[]
  return Object.defineProperties(client as DeliveryClient, {
    numbered: { get: () => frames.filter(({ seq }) => seq !== undefined) },
    resume: {
      async value(payload: object = {}) {
        const before = frames.length
        client.say({ type: '$resume', payload })
        await until(client, () => frames.slice(before).some(({ type }) => type === '$roster'))
        return frames.slice(before).find(({ type }) => type.startsWith('$res'))!.data!
      },
    },
    report: {
      value(n: number, processedCount = n, cid = 'out-1') {
        client.say({ type: 'UPDATE_PROGRESS', payload: { ...progress, processedCount }, cid, n })
      },
    },
    of: {
      value: (wanted: string) =>
        frames.filter(({ type }) => type === wanted).map(({ data }) => data!),
    },
  })
}

/** Resolves once a condition holds about what a client received. */
export async function until(client: TestClient, condition: () => boolean): Promise<void> {
  while (!condition()) await client.received(client.frames.length + 1)
}

/** Resolves once the server has done what came in this turn of the event loop, if its log is in memory. */
export async function turn(): Promise<void> {
  for (let times = 0; times < 2; times += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A log whose answers the test can hold back. */
export function createHeldLog(log: DeliveryLog = createMemoryLog()): DeliveryLog & {
  readonly pending: (() => void)[]
  /** Answers everything, also what is held back, until `hold` is called. */
  release(): void
  hold(): void
  failNext(error?: Error): void
} {
  const pending: (() => void)[] = []
  const failures: Error[] = []
  let isHeld = false
  const pass = <T>(run: () => Promise<T>): Promise<T> => {
    const failure = failures.shift()
    return new Promise((resolve, reject) => {
      const answer = () => {
        if (failure === undefined) resolve(run())
        else reject(failure)
      }
      if (isHeld) pending.push(answer)
      else answer()
    })
  }
  return {
    open: (userId) => log.open(userId),
    commit: (userId, change) => pass(() => log.commit(userId, change)),
    close: (userId) => log.close?.(userId),
    pending,
    release() {
      isHeld = false
      for (const answer of pending.splice(0)) answer()
    },
    hold() {
      isHeld = true
    },
    failNext(error = new Error('disk full')) {
      failures.push(error)
    },
  }
}
