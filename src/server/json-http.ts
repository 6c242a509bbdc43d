import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeJson } from '../transport/json-codec.js'

/** A JSON response. */
export interface JsonReply {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A request's JSON body, or the reply to a request without one; `undefined`: the client left. */
export type JsonBody =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reply: JsonReply }
  | undefined

/** Reads a request's body as JSON: 413 beyond the limit, 400 where it is not JSON. Never rejects. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<JsonBody> {
  const bytes = await readBytes(request, maxBytes)
  if (bytes === 'too-large') {
    return { ok: false, reply: failure(413, `The body is larger than ${maxBytes} bytes`) }
  }
  if (bytes === undefined) return undefined
  const decoded = decodeJson(bytes.toString())
  if (decoded.ok) return decoded
  return { ok: false, reply: failure(400, `The body cannot be read: ${decoded.detail}`) }
}

/** A reply of `{error}`. */
export function failure(
  status: number,
  error: string,
  headers?: Readonly<Record<string, string>>,
): JsonReply {
  return { status, body: { error }, ...(headers && { headers }) }
}

/** Sends a reply, unless the client left. */
export function sendJson(response: ServerResponse, { status, body, headers }: JsonReply): void {
  if (response.destroyed) return
  const bytes = Buffer.from(JSON.stringify(body))
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.byteLength,
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(bytes)
}

function readBytes(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | 'too-large' | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.byteLength
      if (size <= maxBytes) {
        chunks.push(chunk)
        return
      }
      // The rest is read and dropped, within Node's own time limit for a request. A connection that
      // is closed with unread data is reset, and the reply might never arrive.
      chunks.length = 0
      resolve('too-large')
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('close', () => resolve(undefined))
    request.once('error', () => resolve(undefined))
  })
}
