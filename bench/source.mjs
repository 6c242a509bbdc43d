// The server of the inbound benchmark, on a thread of its own. It sends frames as fast as the socket
// takes them. It is JavaScript, since a worker starts without a loader for TypeScript.
import { parentPort } from 'node:worker_threads'
import { WebSocketServer } from 'ws'

// How many bytes may wait in the socket: enough to keep the client busy, without filling the memory.
const HIGH_WATER_BYTES = 1 << 20

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
server.on('listening', () => parentPort?.postMessage(server.address()))
parentPort?.on('message', () => {
  for (const client of server.clients) client.terminate()
  server.close()
  parentPort?.close()
})

server.on('connection', (socket, request) => {
  const { searchParams } = new URL(request.url ?? '', 'ws://localhost')
  const count = Number(searchParams.get('count'))
  const shoots = Number(searchParams.get('shoots'))
  const frames = Array.from({ length: Math.max(shoots, 1_000) }, (_, at) => makeFrame(at, shoots))
  let sent = 0

  const pump = () => {
    while (sent < count && socket.bufferedAmount < HIGH_WATER_BYTES) {
      socket.send(frames[sent % frames.length] ?? '')
      sent += 1
    }
    if (sent < count) setImmediate(pump)
    else socket.send('{"type":"PROMPT_CHANGE","data":{"promptId":"end","action":"deleted"}}')
  }
  // The client says when it is ready, so that the time to connect does not count.
  socket.on('message', pump)
})

/**
 * @param {number} at
 * @param {number} shoots
 */
function makeFrame(at, shoots) {
  return JSON.stringify({
    type: 'SHOOT_PROGRESS',
    data: {
      shootId: `shoot-${at % shoots}`,
      status: 'processing',
      processedCount: at % 997,
      totalCount: 1000,
      currentImage: `IMG_${String(at).padStart(5, '0')}.jpg`,
      eta: 36.16,
      provider: 'gpt-5-nano',
    },
    timestamp: 1795423137433,
    deviceId: 'DEVICE-MAC',
    userId: 'user-123',
  })
}
