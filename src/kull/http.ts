import type { Clock } from '../base/clock.js'
import { withDeadline } from '../base/deadline.js'
import { parseRetryAfter } from '../base/retry-after.js'
import type { Validate } from '../schemas/schema.js'
import { type ApiResult, failedCall } from '../session/api.js'
import { decodeJson } from '../transport/json-codec.js'

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>

/** The options that `fetch` is called with. */
export interface FetchInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Record<string, string>
  readonly body?: string
  readonly signal: AbortSignal
  readonly redirect: 'manual'
  readonly credentials: 'omit'
  readonly cache: 'no-store'
  readonly referrerPolicy: 'no-referrer'
  readonly keepalive?: boolean
}

/** The part of a `Response` that is used. */
export interface FetchResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
      cancel(): Promise<void>
    }
  } | null
}

/** What all calls have in common. */
export interface HttpOptions {
  readonly baseUrl: () => string | URL
  readonly fetch: Fetch
  readonly clock: Clock
  /** The time limit for the whole answer, in milliseconds. */
  readonly timeoutMs: number
}

/** One call of the API. */
export interface HttpCall<T> {
  readonly method: 'GET' | 'POST'
  /** Relative to the base URL, without a leading slash. */
  readonly path: string
  readonly body?: unknown
  readonly accessToken?: string
  /** The request continues when the user leaves the page. */
  readonly keepalive?: boolean
  /** Validates the body of the answer. */
  readonly validate: Validate<T>
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes one call. Never rejects: failures are data. A failure contains neither the URL, nor a
 * token, nor text from the server.
 */
export async function callHttp<T>(options: HttpOptions, call: HttpCall<T>): Promise<ApiResult<T>> {
  const url = resolveUrl(options.baseUrl, call.path)
  if (url === undefined) {
    const message = 'The address of the server is not usable.'
    return failedCall({ code: 'url-unusable', message })
  }
  const { clock, timeoutMs: limitMs } = options
  const settled = await withDeadline({ clock, limitMs, signal: call.signal }, async (signal) => {
    const response = await options.fetch(url, createInit(call, signal))
    return { response, text: await readText(response) }
  })
  if (settled.kind === 'value') {
    return interpret(call, settled.value.response, settled.value.text, clock)
  }
  const failures = {
    late: { code: 'timeout', message: `The server did not answer within ${limitMs} ms.` },
    aborted: { code: 'aborted', message: 'The request was cancelled.' },
    threw: { code: 'network', message: 'The server cannot be reached.' },
  } as const
  return failedCall(failures[settled.kind])
}

function resolveUrl(baseUrl: () => string | URL, path: string): string | undefined {
  try {
    const base = new URL(baseUrl())
    if (base.protocol !== 'http:' && base.protocol !== 'https:') return undefined
    if (!base.pathname.endsWith('/')) base.pathname += '/'
    base.search = ''
    return new URL(path, base).href
  } catch {
    return undefined
  }
}

function createInit(call: HttpCall<unknown>, signal: AbortSignal): FetchInit {
  const { method, body, accessToken, keepalive } = call
  return {
    method,
    signal,
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(keepalive === true && { keepalive }),
    // A redirect must not carry the token to another server.
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
  }
}

// An answer of this API has a kilobyte or two.
const MOST_ANSWER_BYTES = 262_144

/** Reads the body as text; gives `undefined` for a body that is too large. */
async function readText(response: FetchResponse): Promise<string | undefined> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value?.byteLength ?? 0
    if (bytes > MOST_ANSWER_BYTES) {
      await reader.cancel()
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}

function interpret<T>(
  call: HttpCall<T>,
  { status, headers }: FetchResponse,
  text: string | undefined,
  clock: Clock,
): ApiResult<T> {
  const serverTime = parseDate(headers.get('date'))
  if (status >= 200 && status < 300) {
    const decoded = text === undefined ? undefined : decodeJson(text)
    // An answer without JSON is no value, which some calls accept.
    const read = decoded && call.validate(decoded.ok ? decoded.value : undefined)
    if (read?.ok === true) {
      return { ok: true, value: read.value, ...(serverTime !== undefined && { serverTime }) }
    }
    const message = 'The server sent an answer that cannot be read.'
    return failedCall({ code: 'unexpected-answer', status, message })
  }
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), serverTime ?? clock.epoch())
  const wait = retryAfterMs !== undefined && { retryAfterMs }
  if (status === 429) {
    const message = 'The server received too many requests.'
    return failedCall({ code: 'rate-limited', message, ...wait })
  }
  if (status === 408 || status >= 500) {
    const message = 'The server is not available now.'
    return failedCall({ code: 'unavailable', status, message, ...wait })
  }
  if (status >= 400) {
    return failedCall({ code: 'refused', status, message: 'The server refused the request.' })
  }
  // A redirect, which is not followed. Browsers show it as status 0.
  const message = 'The server answered with a redirect.'
  return failedCall({ code: 'unexpected-answer', status, message })
}

function parseDate(text: string | null): number | undefined {
  const time = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
