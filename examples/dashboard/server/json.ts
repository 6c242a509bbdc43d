import type { IncomingMessage, ServerResponse } from 'node:http'

const mostBytes = 65_536

/** A request's body as JSON; `undefined` where it is none, or too long for anything that is asked here. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size <= mostBytes) chunks.push(chunk)
  }
  if (size > mostBytes) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    return undefined
  }
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body))
  const type = 'application/json; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(bytes)
}
