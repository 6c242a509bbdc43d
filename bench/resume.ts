import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { filter, firstValueFrom } from 'rxjs'
import WebSocket from 'ws'
import { type Servers, startServers } from './delivery-worker.js'
import { notes } from './notes.mjs'
import { median } from './statistics.js'

/** How long it takes, after a reconnect, to receive every message that was missed. */
export interface ResumeResult {
  /** How many messages were missed. */
  readonly missed: number
  /** Median, in milliseconds, from `connect()` to the last message. */
  readonly resumeMs: number
  /** The floor: the same for raw ws that asks for as many messages and parses them. */
  readonly floorMs: number
  /** Median over the rounds of floor divided by own time: 1 is as fast as the floor. */
  readonly ratio: number
  readonly rounds: number
}

/** Measures a resume. It alternates with the floor. */
export async function measureResume(missed: number, rounds: number): Promise<ResumeResult> {
  const servers = await startServers()
  const own: number[] = []
  const floors: number[] = []
  for (let round = -1; round < rounds; round += 1) {
    const floorFirst = round % 2 === 0
    const before = floorFirst ? await replayRaw(servers.ports.raw, missed) : undefined
    const time = await resume(servers, `user-${round}`, missed)
    const floor = before ?? (await replayRaw(servers.ports.raw, missed))
    if (round < 0) continue
    own.push(time)
    floors.push(floor)
  }
  servers.stop()
  return {
    missed,
    resumeMs: median(own),
    floorMs: median(floors),
    ratio: median(own.map((time, at) => (floors[at] ?? Number.NaN) / time)),
    rounds,
  }
}

async function resume(servers: Servers, user: string, missed: number): Promise<number> {
  const sync = createSyncClient(notes, {
    url: `ws://127.0.0.1:${servers.ports.sync}/ws?user=${user}`,
    delivery: createDelivery(),
  })
  let heard = 0
  const isHeard = new Promise<void>((resolve) => {
    sync.on('SAID', () => {
      heard += 1
      if (heard === missed) resolve()
    })
  })
  sync.start()
  await firstValueFrom(sync.outbox$.pipe(filter(({ delivery }) => delivery === 'live')))
  sync.disconnect()
  await servers.say(user, missed)
  const begunAt = performance.now()
  sync.connect()
  await isHeard
  const time = performance.now() - begunAt
  const { resumed } = sync.outbox.counts()
  sync.dispose()
  // A snapshot in place of the messages would make the result too good.
  if (resumed !== 1) throw new Error('it was not resumed')
  return time
}

function replayRaw(port: number, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const begunAt = performance.now()
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
    let heard = 0
    socket.on('open', () => socket.send(JSON.stringify({ type: 'REPLAY', count })))
    socket.on('message', (frame: Buffer) => {
      const message = JSON.parse(frame.toString()) as { type: string }
      if (message.type === 'SAID') heard += 1
      if (heard < count) return
      socket.terminate()
      resolve(performance.now() - begunAt)
    })
    socket.on('error', reject)
  })
}
