import { randomBytes } from 'node:crypto'
import type { Server as HttpServer } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import { type Clock, createSystemClock } from '../base/clock.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { UncheckedDefinition } from '../schemas/coordinator.js'
import type { Protocol } from '../schemas/protocol.js'
import type { MessageSchemas } from '../schemas/schema.js'
import type { Authenticate } from './authentication.js'
import type { AnyIncomingMessage, ConnectedClient, IncomingHandlers, SocketEnd } from './client.js'
import { type DeliveryOptions, resolveDeliveryOptions } from './delivery/options.js'
import type { ServerLogger } from './logging.js'

/** What a server needs to know of a protocol. Every `Protocol` fits. */
export type ServedProtocol<R extends MessageSchemas, S extends MessageSchemas> = Pick<
  Protocol<R, S>,
  'receive' | 'send' | 'envelope' | 'heartbeat' | 'server'
> & {
  /** Read for its checkpoint, with delivery. */
  readonly coordinator?: UncheckedDefinition | undefined
}

/** Options of {@link createSyncServer}. */
export interface SyncServerOptions<R extends MessageSchemas, S extends MessageSchemas> {
  /** What is said. `receive` is what clients receive, so what this server sends. */
  readonly protocol: ServedProtocol<R, S>
  /** A server whose upgrades on `path` are ours. Without it: `listen`, or `handleUpgrade`. */
  readonly server?: HttpServer | HttpsServer
  /** Default `/ws`. */
  readonly path?: string
  /** Says who connects. Default: the protocol's own rule, which is then required. */
  readonly authenticate?: Authenticate
  /** How long `authenticate` may take, in milliseconds. Default 5,000. */
  readonly authenticateTimeoutMs?: number
  /**
   * Origins that a browser may connect from, for example `https://kullai.com`, or a function that
   * decides. A request without an origin does not come from a web page and is let through.
   * Default: any.
   */
  readonly allowedOrigins?: readonly string[] | ((origin: string) => boolean)
  /** A larger message closes the socket with 1009. Default 1 MiB. */
  readonly maxMessageBytes?: number
  /** A socket whose unsent backlog is larger is closed with 1013. Default 4 MiB. */
  readonly maxBufferedBytes?: number
  /** Time between pings at the WebSocket level; `false`: none. Default 30,000. */
  readonly keepAliveMs?: number | false
  /** Compresses messages. Costs 20 times the CPU and up to 240 kB a socket. Default `false`. */
  readonly perMessageDeflate?: boolean
  /** What to do about messages of clients, beside what the protocol does by itself. */
  readonly on?: IncomingHandlers<R, S>
  /** Every valid message of a client, whatever its type, after the handler of its type. */
  readonly onMessage?: (message: AnyIncomingMessage<R, S>) => unknown
  /** A socket was let in. Its `DEVICE_CONNECTED` is out; none of its messages has been read. */
  readonly onConnected?: (client: ConnectedClient<R>) => unknown
  /** A socket that was let in is gone. */
  readonly onDisconnected?: (client: ConnectedClient<R>, end: SocketEnd) => unknown
  /** Hears what user code threw. Default: nobody. */
  readonly onError?: ReportError
  /** Hears what happens. Default: nobody. */
  readonly log?: ServerLogger
  /**
   * Numbers what goes to all of a user's devices and acknowledges what clients send, for clients
   * that ask for it: docs/protocol.md. Default: a plain server.
   */
  readonly delivery?: DeliveryOptions<R, S>
  /** Closes the server when aborted, as `close()` does. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  /** Gives the random part of device ids that the protocol makes up. Default: 8 hex digits. */
  readonly makeId?: () => string
}

/**
 * Fills in defaults.
 *
 * @throws SyncError `option-invalid`, naming the option.
 */
export function resolveOptions<R extends MessageSchemas, S extends MessageSchemas>(
  options: SyncServerOptions<R, S>,
) {
  const { protocol, path = '/ws', keepAliveMs = 30_000 } = options
  if (!path.startsWith('/') || /[?#]/.test(path)) {
    throw invalid('path', 'must start with "/" and hold neither "?" nor "#"')
  }
  if (options.authenticate === undefined && protocol.server === undefined) {
    throw invalid('authenticate', 'is required, since the protocol does not say who connects')
  }
  for (const type of Object.keys(options.on ?? {})) {
    if (!Object.hasOwn(protocol.send, type)) throw invalid('on', `no client sends "${type}"`)
  }
  return {
    ...options,
    path,
    authenticateTimeoutMs: positive('authenticateTimeoutMs', options.authenticateTimeoutMs, 5_000),
    maxMessageBytes: positive('maxMessageBytes', options.maxMessageBytes, 2 ** 20),
    maxBufferedBytes: positive('maxBufferedBytes', options.maxBufferedBytes, 2 ** 22),
    keepAliveMs: keepAliveMs === false ? (false as const) : positive('keepAliveMs', keepAliveMs, 0),
    clock: options.clock ?? createSystemClock(),
    delivery: options.delivery && resolveDeliveryOptions(options.delivery),
    makeId: options.makeId ?? (() => randomBytes(4).toString('hex')),
  }
}

function positive(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (Number.isFinite(value) && value > 0) return value
  throw invalid(option, `must be a positive number, not ${value}`)
}

function invalid(option: string, what: string): SyncError {
  return new SyncError('option-invalid', `${option} ${what}`)
}
