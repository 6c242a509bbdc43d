import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiResult, LinkRequest } from '../../src/session/api.js'
import type { FakeServer } from './fake-server.js'

/** Serves the fake server's sign-in over HTTP, as the product's server does. */
export function createHttpHandler(server: FakeServer) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const route = `${request.method ?? ''} ${pathname.replace(/\/status\/[^/]+$/, '/status/:code')}`
    const bearer = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
    const { api } = server
    switch (route) {
      case 'POST /api/device-auth/request': {
        const result = await api.requestLink((await read(request)) as LinkRequest)
        reply(response, result, ({ expiresAt, ...code }) => ({
          ...code,
          expiresAt: new Date(expiresAt).toISOString(),
        }))
        return true
      }
      case 'GET /api/device-auth/status/:code':
        reply(response, await api.checkLink(decodeURIComponent(pathname.split('/').at(-1) ?? '')))
        return true
      case 'POST /api/device-auth/refresh':
        reply(response, await api.renew((await read(request)) as Parameters<typeof api.renew>[0]))
        return true
      case 'POST /api/device-auth/revoke':
        reply(response, await api.revoke(bearer), () => ({ success: true }))
        return true
      default:
        return false
    }
  }
}

async function read(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}

function reply<T>(
  response: ServerResponse,
  result: ApiResult<T>,
  toBody: (value: T) => unknown = (value) => value,
): void {
  const status = result.ok ? 200 : 'status' in result.failure ? result.failure.status : 503
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(result.ok ? toBody(result.value) : { error: result.failure.code }))
}
