import { inject } from 'vitest'
import { createWebSocketTransport } from '../../src/transport/websocket.js'
import { addressOfPlay } from '../compliance/play.js'
import { settle, until } from '../compliance/real-time.js'
import { describeTransport } from '../compliance/transport.suite.js'

describeTransport('WebSocket in a page', () => {
  const addresses = inject('scriptedServer')
  return {
    transport: createWebSocketTransport(),
    url: (play) => addressOfPlay(addresses, play),
    until,
    settle,
    isNode: false,
  }
})
