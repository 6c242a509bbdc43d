import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod/mini'
import { type Clock, createSystemClock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { receive } from '../schemas/kull.js'
import { createValidate, type Issue, type Schema } from '../schemas/schema.js'
import { failure, type JsonReply, readJson, sendJson } from '../server/json-http.js'
import { kull } from './protocol.js'

/** The decision about a caller. */
export type Authorization = 'allowed' | 'unauthenticated' | 'forbidden'

/** Decides about a caller. An exception or a rejection is reported and answered with status 500. */
export type Authorize = (request: IncomingMessage) => Authorization | Promise<Authorization>

/** Options of {@link createKullRoutes}. */
export interface KullRoutesOptions {
  /**
   * Decides who may push to users: everything under `/api/sync` is for trusted callers only. For
   * one shared secret, use `createBearerCheck(secret)`.
   */
  readonly authorize: Authorize
  /**
   * Gives a user's balance, for `GET /api/kull/credits/summary`, or `undefined` for a user that
   * does not exist. Without this option the routes do not answer that path.
   */
  readonly creditBalance?: (userId: string) => number | undefined | Promise<number | undefined>
  /**
   * Tells which user asks for a balance; `undefined` for an unknown caller. Default: from a token
   * `userId:deviceId`, as on the WebSocket.
   */
  readonly identify?: (request: IncomingMessage) => string | undefined | Promise<string | undefined>
  /** A larger body is answered with status 413. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** The `service` in the answer of the status route. Default `sync`. */
  readonly service?: string
  /** Called with what the functions above threw. */
  readonly onError?: ReportError
  readonly clock?: Clock
}

/**
 * Answers a request and gives true. Gives false for a path that is not one of its routes.
 */
export type KullRoutes = (
  request: IncomingMessage,
  response: ServerResponse,
) => boolean | Promise<boolean>

type Push<K extends keyof typeof receive> = (
  userId: string,
  type: K,
  data: z.output<NonNullable<(typeof receive)[K]>>,
) => number

/** What the routes need of a server: every `SyncServer` of `kull` fits. */
export interface KullBroadcaster {
  readonly broadcastToUser: Push<'SHOOT_PROGRESS'> & Push<'CREDIT_UPDATE'> & Push<'PROMPT_CHANGE'>
}

/**
 * Makes the HTTP side of a Kull server, as a request handler to compose with others:
 * `POST /api/sync/shoot-progress`, `/credit-update` and `/prompt-change`,
 * `GET /api/sync/status`, and `GET /api/kull/credits/summary` if `creditBalance` is given.
 *
 * @throws SyncError `option-invalid`; the message names the option.
 *
 * @example
 * const routes = createKullRoutes(sync, { authorize: createBearerCheck(secret) })
 * const server = createServer(async (request, response) => {
 *   if (!(await routes(request, response))) response.writeHead(404).end()
 * })
 */
export function createKullRoutes(sync: KullBroadcaster, options: KullRoutesOptions): KullRoutes {
  const { maxBodyBytes = 2 ** 20 } = options
  if (typeof options.authorize !== 'function') {
    throw new SyncError('option-invalid', 'authorize must be a function')
  }
  if (!Number.isFinite(maxBodyBytes) || maxBodyBytes <= 0) {
    throw new SyncError('option-invalid', `maxBodyBytes must be positive, not ${maxBodyBytes}`)
  }
  const router = new KullRouter(sync, options, maxBodyBytes)
  return (request, response) => router.handle(request, response)
}

interface HttpRoute {
  readonly method: 'GET' | 'POST'
  /** Gives `undefined` if the client disconnected before the end of its request. */
  readonly answer: (request: IncomingMessage) => Promise<JsonReply | undefined>
}

const progressBody = z.extend(receive.SHOOT_PROGRESS, { userId: z.string() })
const promptBody = z.extend(receive.PROMPT_CHANGE, { userIds: z.array(z.string()) })

class KullRouter {
  readonly #sync: KullBroadcaster
  readonly #options: KullRoutesOptions
  readonly #maxBodyBytes: number
  readonly #clock: Clock
  readonly #routes: ReadonlyMap<string, HttpRoute>

  constructor(sync: KullBroadcaster, options: KullRoutesOptions, maxBodyBytes: number) {
    this.#sync = sync
    this.#options = options
    this.#maxBodyBytes = maxBodyBytes
    this.#clock = options.clock ?? createSystemClock()
    const routes = new Map<string, HttpRoute>([
      ['/api/sync/shoot-progress', this.#progressRoute()],
      ['/api/sync/credit-update', this.#creditRoute()],
      ['/api/sync/prompt-change', this.#promptRoute()],
      ['/api/sync/status', this.#statusRoute()],
    ])
    const { creditBalance } = options
    if (creditBalance !== undefined) {
      routes.set('/api/kull/credits/summary', this.#balanceRoute(creditBalance))
    }
    this.#routes = routes
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean | Promise<boolean> {
    const route = this.#routes.get((request.url ?? '').replace(/\?.*$/s, ''))
    if (route === undefined) return false
    return this.#reply(route, request).then((answer) => {
      if (answer !== undefined) sendJson(response, answer)
      return true
    })
  }

  async #reply(route: HttpRoute, request: IncomingMessage): Promise<JsonReply | undefined> {
    if (request.method !== route.method) {
      return failure(405, `Use ${route.method}`, { allow: route.method })
    }
    try {
      return await route.answer(request)
    } catch (cause) {
      this.#report(new SyncError('handler-threw', 'A function of the routes threw.', { cause }))
      return failure(500, 'Internal error')
    }
  }

  #progressRoute(): HttpRoute {
    return this.#pushRoute(progressBody, ({ userId, ...progress }) =>
      this.#sync.broadcastToUser(userId, 'SHOOT_PROGRESS', progress),
    )
  }

  #creditRoute(): HttpRoute {
    return this.#pushRoute(receive.CREDIT_UPDATE, (update) =>
      this.#sync.broadcastToUser(update.userId, 'CREDIT_UPDATE', update),
    )
  }

  #promptRoute(): HttpRoute {
    return this.#pushRoute(promptBody, ({ userIds, ...change }) => {
      let sockets = 0
      for (const userId of new Set(userIds)) {
        sockets += this.#sync.broadcastToUser(userId, 'PROMPT_CHANGE', change)
      }
      return sockets
    })
  }

  #statusRoute(): HttpRoute {
    const { service = 'sync' } = this.#options
    return this.#trustedRoute('GET', () =>
      Promise.resolve({
        status: 200,
        body: { status: 'ok', timestamp: this.#clock.epoch(), service },
      }),
    )
  }

  #balanceRoute(creditBalance: NonNullable<KullRoutesOptions['creditBalance']>): HttpRoute {
    const { identify = identifyByToken } = this.#options
    return {
      method: 'GET',
      async answer(request) {
        const userId = await identify(request)
        if (userId === undefined) return unauthenticated
        const balance = await creditBalance(userId)
        if (balance === undefined) return failure(404, 'No such user')
        return { status: 200, body: { balance } }
      },
    }
  }

  /** A route that validates its body and answers with the number of sockets that `push` reached. */
  #pushRoute<S extends Schema>(schema: S, push: (body: z.output<S>) => number): HttpRoute {
    const validate = createValidate(schema)
    return this.#trustedRoute('POST', async (request) => {
      const body = await readJson(request, this.#maxBodyBytes)
      if (body?.ok !== true) return body?.reply
      const validated = validate(body.value)
      if (!validated.ok) return failure(400, describeFields(body.value, validated.issues))
      return { status: 200, body: { success: true, sockets: push(validated.value) } }
    })
  }

  #trustedRoute(method: HttpRoute['method'], answer: HttpRoute['answer']): HttpRoute {
    const options = this.#options
    return {
      method,
      async answer(request) {
        switch (await options.authorize(request)) {
          case 'allowed':
            return answer(request)
          case 'forbidden':
            return failure(403, 'Forbidden')
          default:
            return unauthenticated
        }
      },
    }
  }

  #report(error: SyncError): void {
    try {
      this.#options.onError?.(error)
    } catch {
      // An exception of the error handler cannot be reported.
    }
  }
}

/** Makes an {@link Authorize} that wants the header `Authorization: Bearer <secret>`. */
export function createBearerCheck(secret: string): Authorize {
  if (secret === '') throw new SyncError('option-invalid', 'the secret must not be empty')
  const expected = digest(secret)
  return ({ headers }) => {
    const given = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (given === undefined) return 'unauthenticated'
    return timingSafeEqual(digest(given), expected) ? 'allowed' : 'forbidden'
  }
}

const unauthenticated = failure(401, 'Unauthenticated', { 'www-authenticate': 'Bearer' })

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function identifyByToken({ url = '/', headers }: IncomingMessage): string | undefined {
  const request = { url: new URL(url, 'http://localhost'), headers }
  // Only the user matters here, so a device id that would be made up may be empty.
  const answer = kull.server?.authenticate(request, () => '', 0)
  return answer?.ok === true ? answer.userId : undefined
}

// Names fields, never their values.
function describeFields(body: unknown, issues: readonly Issue[]): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return 'The body must be a JSON object'
  }
  const fields = [...new Set(issues.map(({ path }) => String(path[0] ?? '')))]
  const missing = fields.filter(
    (field) => ((body as Record<string, unknown>)[field] ?? null) === null,
  )
  if (missing.length > 0) return `Missing required field: ${missing.join(', ')}`
  return `Invalid field: ${fields.join(', ')}`
}
