import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Controls } from './controls.js'
import { readJson, sendJson } from './json.js'
import { closeServer, listenNear, loopback } from './listen.js'
import { createOwnAddress } from './own-address.js'
import type { PageBundle } from './page-bundle.js'

/** Serves the dashboard's page and its control routes. It never stops, whatever the buttons do. */
export type Desk = {
  readonly url: string
  /** Whether an origin is the page's: the address that was printed, or `localhost`. */
  isOurs: (origin: string) => boolean
  close: () => Promise<void>
}

// The page may load only its own files, and connect only to servers of this demo.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  `connect-src 'self' http://${loopback}:* ws://${loopback}:*`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Starts the desk. Rejects if no port is free. */
export async function startDesk(options: {
  port: number
  page: PageBundle
  controls: Controls
  onError: (error: Error) => void
}): Promise<Desk> {
  const { page, controls, onError } = options
  let own = createOwnAddress(options.port)

  function isFromOurPage(request: IncomingMessage): boolean {
    const { origin } = request.headers
    return own.isUnderOwnName(request) && (origin === undefined || own.isOwnOrigin(origin))
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const path = url.split('?', 1)[0] ?? '/'
    if (!isFromOurPage(request)) {
      sendJson(response, 403, { error: 'For the page of this demo only' })
      return
    }
    const file = method === 'GET' || method === 'HEAD' ? page.get(path) : undefined
    if (file !== undefined) {
      response.writeHead(200, {
        'content-type': file.contentType,
        'content-security-policy': policy,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      })
      response.end(method === 'HEAD' ? undefined : file.bytes)
      return
    }
    const body = method === 'POST' ? await readJson(request) : undefined
    const { status, body: reply } = await controls.answer(method, path, body)
    sendJson(response, status, reply)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      onError(error instanceof Error ? error : new Error(String(error)))
      if (!response.headersSent) sendJson(response, 500, { error: 'Internal error' })
    })
  })
  const port = await listenNear(server, options.port)
  own = createOwnAddress(port)
  return { url: own.url, isOurs: own.isOwnOrigin, close: () => closeServer(server) }
}
