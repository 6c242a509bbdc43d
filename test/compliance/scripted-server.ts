import { createHash } from 'node:crypto'
import { createServer as createHttpServer, type IncomingMessage, STATUS_CODES } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Play, playOfUrl, type ScriptedServerAddresses, textOfBytes } from './play.js'

/** A real server that plays what the URL of a connection says. */
export interface ScriptedServer {
  readonly addresses: ScriptedServerAddresses
  stop(): Promise<void>
}

/** Starts a scripted server on free ports of the loopback. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const http = createHttpServer()
  const silent = createTcpServer((socket) => socket.resume())
  const gone = createTcpServer()
  const webSockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 })
  const held = new Set<Duplex>()

  for (const server of [http, silent]) {
    server.on('connection', (socket: Duplex) => {
      held.add(socket)
      socket.on('close', () => held.delete(socket))
      // An error of a client's connection must not end the server's process.
      socket.on('error', () => {})
    })
  }
  http.on('upgrade', (request, socket, head) => {
    const play = playOfUrl(request.url ?? '')
    if (play.does === 'reject') answer(socket, play.status, retryAfter(play.retryAfterS))
    else if (play.does === 'neverClose') answer(socket, 101, acceptance(request))
    else webSockets.handleUpgrade(request, socket, head, (peer) => perform(peer, request, play))
  })

  const addresses = {
    scripted: await listen(http),
    silent: await listen(silent),
    refused: await listen(gone),
  }
  await stopListening(gone)
  return {
    addresses,
    async stop() {
      for (const socket of held) socket.destroy()
      await Promise.all([stopListening(http), stopListening(silent)])
    },
  }
}

function perform(peer: WebSocket, request: IncomingMessage, play: Play): void {
  peer.on('error', () => {})
  switch (play.does) {
    case 'echo':
      echo(peer)
      break
    case 'count':
      for (let at = 0; at < play.count; at += 1) peer.send(String(at))
      if (play.closeCode !== undefined) peer.close(play.closeCode)
      break
    case 'sendBytes':
      echo(peer)
      peer.send(textOfBytes(play.bytes))
      break
    case 'close':
      peer.close(play.closeCode, play.reason)
      break
    case 'drop':
      // The answer to the upgrade request must be sent first.
      setImmediate(() => peer.terminate())
      break
    case 'tell':
      peer.send(
        JSON.stringify({
          protocol: peer.protocol,
          header: request.headers['x-compliance'] ?? null,
        }),
      )
      break
    case 'neverClose':
    case 'reject':
    case 'staySilent':
    case 'refuse':
      throw new Error(`"${play.does}" is not played on a WebSocket`)
    default:
      play satisfies never
  }
}

function echo(peer: WebSocket): void {
  peer.on('message', (data: Buffer, isBinary) => peer.send(data, { binary: isBinary }))
}

function answer(socket: Duplex, status: number, headers: readonly string[]): void {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...headers]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  if (status === 101) socket.resume()
  else socket.end()
}

function retryAfter(seconds: number | undefined): string[] {
  const headers = ['Connection: close', 'Content-Length: 0']
  return seconds === undefined ? headers : [...headers, `Retry-After: ${seconds}`]
}

// Written by hand, since ws would complete the closing handshake that this server leaves open.
function acceptance({ headers }: IncomingMessage): string[] {
  const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const key = createHash('sha1').update(`${headers['sec-websocket-key']}${magic}`).digest('base64')
  return ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${key}`]
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function stopListening(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}
