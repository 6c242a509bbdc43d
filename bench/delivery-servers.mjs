// The servers of the delivery benchmarks, on a thread of their own: raw ws that answers each
// message, socket.io that acknowledges each, and statewire. They are JavaScript, since a worker
// starts without a loader for TypeScript.
import { createServer } from 'node:http'
import { parentPort } from 'node:worker_threads'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { createSyncServer } from '../dist/server/index.js'
import { notes } from './notes.mjs'

const raw = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
raw.on('connection', (socket) => {
  socket.on('message', (/** @type {Buffer} */ frame) => {
    const message = JSON.parse(frame.toString())
    if (message.type === 'NOTE') {
      socket.send(JSON.stringify({ id: message.id }))
      return
    }
    for (let at = 1; at <= message.count; at += 1) socket.send(JSON.stringify(said(at)))
  })
})

const http = createServer()
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false })
io.on('connection', (socket) => {
  socket.on('NOTE', (_note, acknowledge) => acknowledge())
})
await new Promise((resolve) => {
  http.listen(0, '127.0.0.1', () => resolve(undefined))
})

const sync = createSyncServer({
  protocol: notes,
  authenticate: ({ url }) => ({
    ok: true,
    userId: url.searchParams.get('user') ?? 'u',
    deviceId: 'd',
  }),
  delivery: {},
})
const { port } = await sync.listen(0, '127.0.0.1')

parentPort?.on('message', (command) => {
  if (command === 'stop') {
    for (const client of raw.clients) client.terminate()
    raw.close()
    void io.close()
    void sync.close({ graceMs: 0 })
    parentPort?.close()
    return
  }
  for (let at = 1; at <= command.count; at += 1) {
    sync.broadcastToUser(command.user, 'SAID', said(at).data)
  }
  parentPort?.postMessage('said')
})
parentPort?.postMessage({ raw: portOf(raw.address()), io: portOf(http.address()), sync: port })

/** @param {number} at */
function said(at) {
  return { type: 'SAID', data: { text: `a message of the usual length, number ${at}` } }
}

/** @param {string | import('node:net').AddressInfo | null} address */
function portOf(address) {
  return typeof address === 'object' ? address?.port : undefined
}
