import { createWebSocketTransport } from '../../src/transport/websocket.js'
import { addressOfPlay } from './play.js'
import { settle, until } from './real-time.js'
import { startScriptedServer } from './scripted-server.js'
import { describeTransport } from './transport.suite.js'

describeTransport('WebSocket in Node (ws)', async () => {
  const server = await startScriptedServer()
  return {
    transport: createWebSocketTransport(),
    url: (play) => addressOfPlay(server.addresses, play),
    until,
    settle,
    stop: () => server.stop(),
    isNode: true,
  }
})
