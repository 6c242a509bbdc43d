import type { receive, send } from '../../../src/schemas/kull/index.js'
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

/** A server with delivery, its epochs `epoch-1`, `epoch-2` and so on. */
export function startServer(
  delivery: Options = {},
  options: Parameters<typeof start>[0] = {},
): ReturnType<typeof start> {
  let epochs = 0
  return start({
    ...options,
    delivery: { makeEpoch: () => `epoch-${(epochs += 1)}`, random: () => 0.5, ...delivery },
  })
}

/** What a client with delivery says, and what it has heard. */
export interface DeliveryClient extends TestClient {
  readonly numbered: NumberedFrame[]
  /** Says where it stands, and waits for the answer and the roster. */
  resume(payload?: object): Promise<Readonly<Record<string, unknown>>>
  /** Sends progress as message n of an outbox. */
  report(n: number, processedCount?: number, cid?: string): void
  /** The data of the frames of a type, in order. */
  of(type: string): Readonly<Record<string, unknown>>[]
}

/** Makes a client speak of delivery. */
export function speak(client: TestClient): DeliveryClient {
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

/** Resolves once a condition holds about what a client heard. */
export async function until(client: TestClient, condition: () => boolean): Promise<void> {
  while (!condition()) await client.received(client.frames.length + 1)
}

/** A log whose answers wait for the test. */
export function createHeldLog(log: DeliveryLog = createMemoryLog()): DeliveryLog & {
  readonly pending: (() => void)[]
  /** Lets everything through until told otherwise, what waits included. */
  release(): void
  hold(): void
  failNext(error?: Error): void
} {
  const pending: (() => void)[] = []
  const failures: Error[] = []
  let isHeld = false
  const pass = <T>(run: () => T): Promise<T> => {
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
