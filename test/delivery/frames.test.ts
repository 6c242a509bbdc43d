import { defineProtocol } from 'statewire'
import { describe, expect, it } from 'vitest'
import { chat, createBench } from './harness.js'

/** Ids as long as those that are made by default. */
function createLongIds(): () => string {
  let ids = 0
  return () => {
    ids += 1
    return String(ids).padStart(36, '0')
  }
}

/** Sends messages to a server at once, in one turn; gives the frames that held them. */
async function sendAtOnce(texts: readonly string[], maxBytes = 1_000_000) {
  const { sync, say, server, peer, settle } = createBench({ delivery: { makeId: createLongIds() } })
  server.behaviour.maxBytes = maxBytes
  sync.start()
  await settle()
  const before = peer.messages.length
  for (const text of texts) say(text)
  await settle()
  expect(server.texts).toEqual(texts)
  expect(server.breaches).toEqual([])
  const frames = [...new Set(peer.messages.slice(before).map(({ raw }) => raw.toString()))]
  return frames.map((raw) => {
    const { messages } = JSON.parse(raw) as { readonly messages?: readonly unknown[] }
    return { bytes: raw.length, count: messages?.length ?? 1 }
  })
}

describe('a batch', () => {
  it('[OUT-17] has 64 messages, of any size that fits', async () => {
    for (const text of ['x', 'x'.repeat(600)]) {
      const frames = await sendAtOnce(Array.from({ length: 150 }, (_, at) => `${at}${text}`))
      expect(frames.map(({ count }) => count)).toEqual([1, 64, 64, 21])
    }
  })

  it('[OUT-17] has as many messages as fit into 64 KiB', async () => {
    const texts = Array.from({ length: 61 }, (_, at) => `${at}`.padStart(3_000, 'x'))
    const frames = await sendAtOnce(texts)
    expect(frames.map(({ count }) => count)).toEqual([1, 21, 21, 18])
    expect(Math.max(...frames.map(({ bytes }) => bytes))).toBeLessThanOrEqual(65_536)
  })

  it('[OUT-17] has as many messages as fit into what the server takes, however small they are', async () => {
    const frames = await sendAtOnce(
      Array.from({ length: 61 }, (_, at) => `${at}`),
      2_000,
    )
    expect(frames.length).toBeLessThanOrEqual(6)
    expect(Math.max(...frames.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2_000)
  })

  it('[DLV-13] is not needed for a message that is as large as the server takes', async () => {
    const [probe] = await sendAtOnce(['probe'])
    const maxBytes = probe?.bytes ?? 0
    expect(await sendAtOnce(['probe'], maxBytes)).toHaveLength(1)
    const { sync, say, server, settle } = createBench({ delivery: { makeId: createLongIds() } })
    server.behaviour.maxBytes = maxBytes
    sync.start()
    await settle()
    const receipt = say('probe!')
    await settle()
    expect(receipt.outcome).toEqual({ outcome: 'refused', code: 'too-large' })
    expect(server.breaches).toEqual([])
  })
})

describe('the epoch of a message', () => {
  it('[DLV-6] that is another one makes the client resume', async () => {
    const { sync, server, texts, settle } = createBench()
    sync.start()
    await settle()
    server.says('old')
    await settle()
    server.forgets({ isFollowed: true })
    server.says('new', 'server/new')
    await settle()
    expect(texts()).toEqual(['new'])
    expect(sync.outbox.counts()).toMatchObject({ gaps: 1, reset: 2 })
  })

  it('[DLV-14] that a ping names makes the client resume, whatever the number', async () => {
    const { sync, server, texts, settle } = createBench()
    sync.start()
    await settle()
    server.says('old')
    await settle()
    server.forgets({ isFollowed: true })
    server.beats()
    await settle()
    expect(texts()).toEqual([])
    expect(sync.outbox.counts()).toMatchObject({ gaps: 1, reset: 2 })
  })

  it('[DLV-14] [DLV-5] that a ping names before the answer tells nothing', async () => {
    const { sync, server, peer, settle } = createBench()
    server.behaviour.ignoresResume = true
    sync.start()
    await settle()
    peer.sendsRaw(JSON.stringify({ type: '$ping', data: { epoch: server.epoch, head: 5 } }))
    await settle()
    expect(sync.outbox.counts().gaps).toBe(0)
    expect(server.resumes).toHaveLength(1)
    expect(sync.status.state).toBe('connected')
  })
})

it('[DLV-6] a protocol without state gets what it missed, also without a storage', async () => {
  const protocol = defineProtocol({
    receive: chat.receive,
    send: chat.send,
    backoff: { stepsMs: [1_000], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
  })
  const { sync, server, heard, peer, errors, clock } = createBench({ protocol })
  server.behaviour.hasState = false
  sync.start()
  await clock.advanceAsync(0)
  server.says('a')
  await clock.advanceAsync(0)
  peer.drops()
  server.says('b')
  await clock.advanceAsync(1_000)
  expect(heard).toEqual(['a', 'b'])
  expect(errors).toEqual([])
})
