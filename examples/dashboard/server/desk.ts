import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Controls } from './controls.js'
import { readJson, sendJson } from './json.js'
import { closeServer, listenNear, loopback } from './listen.js'
import type { PageBundle } from './page-bundle.js'

/** Where the dashboard's page comes from, and where its buttons reach. It stays up whatever they do. */
export type Desk = {
  readonly url: string
  /** Whether an origin is the page's: under the address it was printed with, or `localhost`. */
  isOurs: (origin: string) => boolean
  close: () => Promise<void>
}

// Own files only, and connections to the servers of this demo.
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

/** Starts the desk. Rejects where no port can be had. */
export async function startDesk(options: {
  port: number
  page: PageBundle
  controls: Controls
  onError: (error: Error) => void
}): Promise<Desk> {
  const { page, controls, onError } = options
  let hosts: readonly string[] = []

  const isOurs = (origin: string) => hosts.some((host) => origin === `http://${host}`)

  // Other pages in the same browser can reach the loopback address too, some under a name of their
  // own that they let point here.
  function isFromOurPage({ headers }: IncomingMessage): boolean {
    const { host, origin } = headers
    return hosts.includes(host ?? '') && (origin === undefined || isOurs(origin))
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
  hosts = [`${loopback}:${port}`, `localhost:${port}`]
  return { url: `http://${loopback}:${port}`, isOurs, close: () => closeServer(server) }
}
