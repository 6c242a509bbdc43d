import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod/mini'
import { type Clock, createSystemClock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import { receive } from '../schemas/kull/index.js'
import { createValidate, type Issue, type Schema } from '../schemas/schema.js'
import { failure, type JsonReply, readJson, sendJson } from '../server/json-http.js'
import { kull } from './protocol.js'

/** Whether a caller may have what it asks for. */
export type Authorization = 'allowed' | 'unauthenticated' | 'forbidden'

/** Decides about a caller. A throw or a rejection is reported and answered with 500. */
export type Authorize = (request: IncomingMessage) => Authorization | Promise<Authorization>

/** Options of {@link createKullRoutes}. */
export interface KullRoutesOptions {
  /**
   * Who may push to users: everything under `/api/sync` is for trusted callers only. For one
   * shared secret: `createBearerCheck(secret)`.
   */
  readonly authorize: Authorize
  /**
   * A user's balance, for `GET /api/kull/credits/summary`; `undefined` where there is no such
   * user. Without it the path is left to others.
   */
  readonly creditBalance?: (userId: string) => number | undefined | Promise<number | undefined>
  /**
   * Which user asks for a balance; `undefined`: nobody we know. Default: as on the WebSocket, from
   * a token of `userId:deviceId`.
   */
  readonly identify?: (request: IncomingMessage) => string | undefined | Promise<string | undefined>
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** What the status route calls itself. Default `sync`. */
  readonly service?: string
  /** Hears what the functions above threw. Default: nobody. */
  readonly onError?: ReportError
  readonly clock?: Clock
}

/**
 * Answers a request and gives true, or leaves it alone and gives false.
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

interface Route {
  readonly method: 'GET' | 'POST'
  /** Gives `undefined` where the client left before it had said all. */
  readonly answer: (request: IncomingMessage) => Promise<JsonReply | undefined>
}

const progressBody = z.extend(receive.SHOOT_PROGRESS, { userId: z.string() })
const promptBody = z.extend(receive.PROMPT_CHANGE, { userIds: z.array(z.string()) })

/**
 * Makes the HTTP side of a Kull server, as a request handler to compose with others:
 * `POST /api/sync/shoot-progress`, `/credit-update` and `/prompt-change`,
 * `GET /api/sync/status`, and `GET /api/kull/credits/summary` where a balance is given.
 *
 * @throws SyncError `option-invalid`, naming the option.
 *
 * @example
 * const routes = createKullRoutes(sync, { authorize: createBearerCheck(secret) })
 * const server = createServer(async (request, response) => {
 *   if (!(await routes(request, response))) response.writeHead(404).end()
 * })
 */
export function createKullRoutes(sync: KullBroadcaster, options: KullRoutesOptions): KullRoutes {
  const { creditBalance, identify = identifyByToken, maxBodyBytes = 2 ** 20 } = options
  const clock = options.clock ?? createSystemClock()
  if (typeof options.authorize !== 'function') {
    throw new SyncError('option-invalid', 'authorize must be a function')
  }
  if (!Number.isFinite(maxBodyBytes) || maxBodyBytes <= 0) {
    throw new SyncError('option-invalid', `maxBodyBytes must be positive, not ${maxBodyBytes}`)
  }

  function trusted(method: Route['method'], answer: Route['answer']): Route {
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

  function pushed<S extends Schema>(
    schema: S,
    push: (body: z.output<S>) => Record<string, unknown>,
  ): Route {
    const validate = createValidate(schema)
    return trusted('POST', async (request) => {
      const body = await readJson(request, maxBodyBytes)
      if (body?.ok !== true) return body?.reply
      const validated = validate(body.value)
      if (!validated.ok) return failure(400, describeFields(body.value, validated.issues))
      return { status: 200, body: { success: true, ...push(validated.value) } }
    })
  }

  const routes = new Map<string, Route>([
    [
      '/api/sync/shoot-progress',
      pushed(progressBody, ({ userId, ...progress }) => ({
        sockets: sync.broadcastToUser(userId, 'SHOOT_PROGRESS', progress),
      })),
    ],
    [
      '/api/sync/credit-update',
      pushed(receive.CREDIT_UPDATE, (update) => ({
        sockets: sync.broadcastToUser(update.userId, 'CREDIT_UPDATE', update),
      })),
    ],
    [
      '/api/sync/prompt-change',
      pushed(promptBody, ({ userIds, ...change }) => {
        let sockets = 0
        for (const userId of new Set(userIds)) {
          sockets += sync.broadcastToUser(userId, 'PROMPT_CHANGE', change)
        }
        return { sockets }
      }),
    ],
    [
      '/api/sync/status',
      trusted('GET', () =>
        Promise.resolve({
          status: 200,
          body: { status: 'ok', timestamp: clock.epoch(), service: options.service ?? 'sync' },
        }),
      ),
    ],
  ])
  if (creditBalance !== undefined) {
    routes.set('/api/kull/credits/summary', {
      method: 'GET',
      async answer(request) {
        const userId = await identify(request)
        if (userId === undefined) return unauthenticated
        const balance = await creditBalance(userId)
        if (balance === undefined) return failure(404, 'No such user')
        return { status: 200, body: { balance } }
      },
    })
  }

  async function reply(route: Route, request: IncomingMessage): Promise<JsonReply | undefined> {
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

  function report(error: SyncError): void {
    try {
      options.onError?.(error)
    } catch {
      // There is nobody left to tell.
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

/** Makes an {@link Authorize} that asks for `Authorization: Bearer <secret>`. */
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
  // Only who it is counts here; the device, which may have to be made up, does not.
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
