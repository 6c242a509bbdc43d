import { Worker } from 'node:worker_threads'
import { createSyncClient } from 'statewire'
import { kull } from 'statewire/kull'
import WebSocket from 'ws'
import { compile } from 'zod/mini'
import { median } from './statistics.js'

/** The result of one variant: its throughput, compared with the floor's in the same round. */
export interface InboundResult {
  readonly variant: string
  readonly shoots: number
  /** Median over the rounds; 1 is raw ws + JSON.parse + switch. */
  readonly ratio: number
  readonly lowest: number
  readonly highest: number
  /** Median messages per second. */
  readonly perSecond: number
  readonly rounds: number
}

/** Receives `count` messages. Resolves to the time that it took, in ms. */
type Variant = (url: string, count: number) => Promise<number>

const variants: Readonly<Record<string, Variant>> = {
  // The floor against itself: it shows how much a ratio of 1 varies on this machine.
  'floor again': receiveRaw,
  'statewire, compiled': (url, count) => receiveByStatewire(url, count, { compile }),
  'statewire, no eval': (url, count) => receiveByStatewire(url, count, {}),
}

/** The size of the measurement. */
export interface InboundPlan {
  readonly messages: number
  readonly rounds: number
  readonly shoots: readonly number[]
}

/** Measures inbound messages. Each variant alternates with the floor in one process. */
export async function measureInbound(plan: InboundPlan): Promise<InboundResult[]> {
  const worker = new Worker(new URL('./source.mjs', import.meta.url))
  const { port } = await new Promise<{ port: number }>((resolve) => {
    worker.once('message', resolve)
  })
  const results: InboundResult[] = []
  for (const shoots of plan.shoots) {
    const url = `ws://127.0.0.1:${port}/?count=${plan.messages}&shoots=${shoots}`
    const ratios = new Map<string, number[]>()
    const times = new Map<string, number[]>()
    for (let round = -1; round < plan.rounds; round += 1) {
      for (const [name, receive] of Object.entries(variants)) {
        // The order of floor and variant changes each round.
        const floorFirst = round % 2 === 0
        const before = floorFirst ? await receiveRaw(url) : undefined
        const time = await receive(url, plan.messages)
        const floor = before ?? (await receiveRaw(url))
        // The first round warms up.
        if (round < 0) continue
        push(ratios, name, floor / time)
        push(times, name, time)
      }
    }
    for (const variant of Object.keys(variants)) {
      const all = ratios.get(variant) ?? []
      results.push({
        variant,
        shoots,
        ratio: median(all),
        lowest: Math.min(...all),
        highest: Math.max(...all),
        perSecond: Math.round((plan.messages / median(times.get(variant) ?? [])) * 1_000),
        rounds: plan.rounds,
      })
    }
  }
  worker.postMessage('stop')
  return results
}

function push(to: Map<string, number[]>, name: string, value: number): void {
  to.set(name, [...(to.get(name) ?? []), value])
}

// The floor: what a user would write by hand, without validation and streams, with one mutable map.
function receiveRaw(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const shoots = new Map<string, Progress>()
    const socket = new WebSocket(url, { perMessageDeflate: false })
    let begunAt = 0
    socket.on('open', () => {
      begunAt = performance.now()
      socket.send('go')
    })
    socket.on('message', (frame: Buffer) => {
      const message = JSON.parse(frame.toString()) as { type: string; data: Progress }
      switch (message.type) {
        case 'SHOOT_PROGRESS': {
          const { data } = message
          data.progress = data.totalCount > 0 ? data.processedCount / data.totalCount : 0
          shoots.set(data.shootId, data)
          break
        }
        case 'PROMPT_CHANGE':
          socket.terminate()
          resolve(performance.now() - begunAt)
          break
        default:
      }
    })
    socket.on('error', reject)
  })
}

interface Progress {
  readonly shootId: string
  readonly processedCount: number
  readonly totalCount: number
  progress?: number
}

async function receiveByStatewire(
  url: string,
  count: number,
  options: { readonly compile?: typeof compile },
): Promise<number> {
  const sync = createSyncClient(kull, {
    url,
    credentials: { userId: 'u', deviceId: 'd' },
    ...options,
  })
  let received = 0
  let states = 0
  sync.on('SHOOT_PROGRESS', () => {
    received += 1
  })
  sync.state$.subscribe(() => {
    states += 1
  })
  let begunAt = 0
  const ended = new Promise<number>((resolve) => {
    sync.on('PROMPT_CHANGE', () => {
      resolve(performance.now() - begunAt)
    })
    sync.status$.subscribe(({ state }) => {
      if (state !== 'connected') return
      begunAt = performance.now()
      sync.send('SUBSCRIBE')
    })
  })
  sync.start()
  const time = await ended
  sync.dispose()
  // A client that does nothing would make the result too good.
  if (received !== count || states < 2)
    throw new Error(`only ${received} of ${count} messages came`)
  return time
}
