import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod/mini'
import { type Clock, createSystemClock } from '../base/clock.js'
import { assertOption, type ReportError, SyncError } from '../base/errors.js'
import { guardReport } from '../base/options.js'
import { isRecord } from '../base/values.js'
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
  const isFunction = typeof options.authorize === 'function'
  assertOption(isFunction, 'authorize must be a function')
  const isSize = Number.isFinite(maxBodyBytes) && maxBodyBytes > 0
  assertOption(isSize, `maxBodyBytes must be positive, not ${maxBodyBytes}`)
  const routes = createRoutes(sync, { ...options, maxBodyBytes })
  const report = guardReport(options.onError)

  async function reply(route: HttpRoute, request: IncomingMessage): Promise<JsonReply | undefined> {
    if (request.method !== route.method) {
      return failure(405, `Use ${route.method}`, { allow: route.method })
    }
    try {
      return await route.answer(request)
    } catch (cause) {
      report(new SyncError('handler-threw', 'A function of the routes threw.', { cause }))
      return failure(500, 'Internal error')
    }
  }

  return (request, response) => {
    const route = routes.get((request.url ?? '').replace(/\?.*$/s, ''))
    if (route === undefined) return false
    return reply(route, request).then((answer) => {
      if (answer !== undefined) sendJson(response, answer)
      return true
    })
  }
}

interface HttpRoute {
  readonly method: 'GET' | 'POST'
  /** Gives `undefined` if the client disconnected before the end of its request. */
  readonly answer: (request: IncomingMessage) => Promise<JsonReply | undefined>
}

const progressBody = z.extend(receive.SHOOT_PROGRESS, { userId: z.string() })
const promptBody = z.extend(receive.PROMPT_CHANGE, { userIds: z.array(z.string()) })

function createRoutes(
  sync: KullBroadcaster,
  options: KullRoutesOptions & { readonly maxBodyBytes: number },
): ReadonlyMap<string, HttpRoute> {
  const { clock = createSystemClock(), creditBalance, service = 'sync' } = options
  const routes = new Map<string, HttpRoute>([
    [
      '/api/sync/shoot-progress',
      createPushRoute(options, progressBody, ({ userId, ...progress }) =>
        sync.broadcastToUser(userId, 'SHOOT_PROGRESS', progress),
      ),
    ],
    [
      '/api/sync/credit-update',
      createPushRoute(options, receive.CREDIT_UPDATE, (update) =>
        sync.broadcastToUser(update.userId, 'CREDIT_UPDATE', update),
      ),
    ],
    [
      '/api/sync/prompt-change',
      createPushRoute(options, promptBody, ({ userIds, ...change }) => {
        const sockets = [...new Set(userIds)].map((userId) =>
          sync.broadcastToUser(userId, 'PROMPT_CHANGE', change),
        )
        return sockets.reduce((sum, count) => sum + count, 0)
      }),
    ],
    [
      '/api/sync/status',
      createTrustedRoute(options, 'GET', () => {
        const body = { status: 'ok', timestamp: clock.epoch(), service }
        return Promise.resolve({ status: 200, body })
      }),
    ],
  ])
  if (creditBalance !== undefined) {
    routes.set('/api/kull/credits/summary', createBalanceRoute(creditBalance, options.identify))
  }
  return routes
}

function createBalanceRoute(
  creditBalance: NonNullable<KullRoutesOptions['creditBalance']>,
  identify: NonNullable<KullRoutesOptions['identify']> = identifyByToken,
): HttpRoute {
  return {
    method: 'GET',
    async answer(request) {
      const userId = await identify(request)
      if (userId === undefined) return unauthenticated
      const balance = await creditBalance(userId)
      return balance === undefined
        ? failure(404, 'No such user')
        : { status: 200, body: { balance } }
    },
  }
}

/** A route that validates its body and answers with the number of sockets that `push` reached. */
function createPushRoute<S extends Schema>(
  options: KullRoutesOptions & { readonly maxBodyBytes: number },
  schema: S,
  push: (body: z.output<S>) => number,
): HttpRoute {
  const validate = createValidate(schema)
  return createTrustedRoute(options, 'POST', async (request) => {
    const body = await readJson(request, options.maxBodyBytes)
    if (body?.ok !== true) return body?.reply
    const validated = validate(body.value)
    if (!validated.ok) return failure(400, describeFields(body.value, validated.issues))
    return { status: 200, body: { success: true, sockets: push(validated.value) } }
  })
}

function createTrustedRoute(
  { authorize }: KullRoutesOptions,
  method: HttpRoute['method'],
  answer: HttpRoute['answer'],
): HttpRoute {
  return {
    method,
    async answer(request) {
      const authorization = await authorize(request)
      switch (authorization) {
        case 'allowed':
          return answer(request)
        case 'forbidden':
          return failure(403, 'Forbidden')
        default:
          authorization satisfies 'unauthenticated'
          return unauthenticated
      }
    },
  }
}

/** Makes an {@link Authorize} that wants the header `Authorization: Bearer <secret>`. */
export function createBearerCheck(secret: string): Authorize {
  assertOption(secret !== '', 'the secret must not be empty')
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
  if (!isRecord(body)) return 'The body must be a JSON object'
  const fields = [...new Set(issues.map(({ path }) => String(path[0] ?? '')))]
  const missing = fields.filter((field) => (body[field] ?? null) === null)
  if (missing.length > 0) return `Missing required field: ${missing.join(', ')}`
  return `Invalid field: ${fields.join(', ')}`
}
