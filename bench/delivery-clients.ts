import { createSyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { filter, firstValueFrom } from 'rxjs'
import { io } from 'socket.io-client'
import WebSocket from 'ws'
import { notes } from './notes.mjs'

/** A connection that acknowledges each message. */
export interface Acknowledging {
  /** Sends one message. Resolves when it is acknowledged. */
  send(text: string): Promise<void>
  close(): void
}

/** Opens a connection to a server on this port. */
export type Connect = (port: number) => Promise<Acknowledging>

/** The floor: what a user would write by hand, with a map of promises by id. */
export const connectRaw: Connect = async (port) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  const waiting = new Map<number, () => void>()
  let last = 0
  socket.on('message', (frame: Buffer) => {
    const { id } = JSON.parse(frame.toString()) as { id: number }
    waiting.get(id)?.()
    waiting.delete(id)
  })
  return {
    send(text) {
      last += 1
      const id = last
      socket.send(JSON.stringify({ type: 'NOTE', payload: { text }, id }))
      return new Promise((resolve) => {
        waiting.set(id, resolve)
      })
    },
    close: () => socket.terminate(),
  }
}

/** socket.io's acknowledgements. */
export const connectSocketIo: Connect = async (port) => {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true })
  await new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(undefined))
    socket.once('connect_error', reject)
  })
  return {
    send: (text) =>
      new Promise((resolve) => {
        socket.emit('NOTE', { text }, resolve)
      }),
    close: () => void socket.disconnect(),
  }
}

/** This library: messages are validated, queued, numbered, and acknowledged when they are in the server's log. */
export const connectStatewire: Connect = async (port) => {
  const sync = createSyncClient(notes, {
    url: `ws://127.0.0.1:${port}/ws?user=${Math.random()}`,
    delivery: createDelivery({ maxMessages: 100_000, maxBytes: 2 ** 30 }),
  })
  sync.start()
  await firstValueFrom(sync.outbox$.pipe(filter(({ delivery }) => delivery === 'live')))
  return {
    async send(text) {
      const { outcome } = await sync.send('NOTE', { text }).settled
      // Messages without an acknowledgement would make the result too good.
      if (outcome !== 'delivered') throw new Error(`a message was ${outcome}`)
    },
    close: () => sync.dispose(),
  }
}
