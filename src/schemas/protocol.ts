import { assertThat } from '../base/errors.js'
import { assertCoordinatorDefinition, type CoordinatorDefinition } from './coordinator.js'
import { createEnvelope, type Envelope, type EnvelopeDirection } from './envelope.js'
import type { OutboxRules } from './outbox-rule.js'
import type { BackoffPolicy, CloseCodes, Heartbeat } from './policy.js'
import {
  assertMessageSchemas,
  isSchema,
  type MessageSchemas,
  type Schema,
  type TypeOf,
} from './schema.js'

/** The request of a connection attempt. The protocol writes credentials into it. */
export interface ConnectRequest {
  /** Where to connect. Its search parameters may be changed. */
  readonly url: URL
  /** Headers of the upgrade request. Node only: browsers cannot set them. */
  readonly headers: Record<string, string>
  /** WebSocket subprotocols. */
  readonly protocols: string[]
}

/** Which credentials a protocol needs, and where in the request they go. */
export interface CredentialsRule<S extends Schema> {
  /** Checked for each attempt. With credentials that do not fit, the connection is `failed` and no socket is opened. */
  readonly schema: S
  /** Writes the credentials into the request. */
  apply(request: ConnectRequest, credentials: S['_zod']['output']): void
}

/** Who connected, as the server knows them. */
export interface Identity {
  readonly userId: string
  readonly deviceId: string
}

/** Whether a server accepts an upgrade: who connects, or the close code of the refusal. */
export type Authentication =
  | ({ readonly ok: true } & Identity & { readonly isAdmin?: boolean })
  | { readonly ok: false; readonly closeCode: number; readonly reason: string }

/** What is known of an upgrade request. */
export interface UpgradeRequest {
  /** The request's path and query, resolved against its host. */
  readonly url: URL
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What a server of a protocol does by itself. As data, so that a browser's bundle stays small. */
export interface ServerBehaviour<R extends MessageSchemas, S extends MessageSchemas> {
  /**
   * Decides who connects. `makeId` returns a random part for a device id that the server makes up;
   * `epochMs` is the time of the request.
   */
  readonly authenticate: (
    request: UpgradeRequest,
    makeId: () => string,
    epochMs: number,
  ) => Authentication
  /** The types by which a server announces that a device connected or disconnected, and their data. */
  readonly presence?: {
    readonly connected: TypeOf<R>
    readonly disconnected: TypeOf<R>
    readonly data: (device: Identity, epochMs: number) => unknown
  }
  /** Types of clients' messages that the server relays to all devices of the user, and under which type. */
  readonly relay?: Readonly<Partial<Record<TypeOf<S>, TypeOf<R>>>>
}

/** The argument of `defineProtocol`. */
export interface ProtocolDefinition<
  R extends MessageSchemas,
  S extends MessageSchemas,
  State extends object,
  Snapshot extends Schema,
  Credentials extends Schema,
  Checkpoint extends Schema = Schema,
> {
  /** The messages that a server sends, with the schema of each one's data; `null`: no data. */
  readonly receive: R
  /** The messages that a client sends, with the schema of each one's payload; `null`: no payload. */
  readonly send: S
  /** How messages are wrapped in frames. Default: `createEnvelope()`. */
  readonly envelope?: Envelope
  /** The messages that show that the peer is alive. Default `PING` and `PONG`; `false`: none. */
  readonly heartbeat?: Heartbeat | false
  readonly credentials?: CredentialsRule<Credentials>
  /** Close codes with a meaning of their own in this protocol. */
  readonly closeCodes?: CloseCodes
  /** The waits between attempts. Default: full jitter under 1, 2, 4, 8, 16, 32, 60 s, without end. */
  readonly backoff?: BackoffPolicy
  /** How messages fold into state. */
  readonly coordinator?: CoordinatorDefinition<R, State, Snapshot, Checkpoint>
  /** How the outbox treats messages. Only `delivery` reads it. */
  readonly outbox?: OutboxRules<S>
  /** What a server of this protocol does by itself. Only `createSyncServer` reads it. */
  readonly server?: ServerBehaviour<R, S>
}

/** A protocol: its messages, how they are wrapped, and what they mean. Made by `defineProtocol`. */
export interface Protocol<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
  State extends object = object,
  Snapshot extends Schema = Schema,
  Credentials extends Schema = Schema,
  Checkpoint extends Schema = Schema,
> extends Omit<
    ProtocolDefinition<R, S, State, Snapshot, Credentials, Checkpoint>,
    'envelope' | 'heartbeat'
  > {
  readonly envelope: Envelope
  readonly heartbeat: Heartbeat | false
}

const standardHeartbeat: Heartbeat = { ping: 'PING', pong: 'PONG' }

/**
 * Describes a protocol once, for clients, servers and tests.
 *
 * @throws SyncError `protocol-invalid` where a schema is no zod 4 schema, a type name is reserved
 * (empty, or starting with `$`), or a part of the coordinator is not valid.
 *
 * @example
 * const chat = defineProtocol({
 *   receive: { SAID: z.object({ id: z.string(), text: z.string() }) },
 *   send: { SAY: z.object({ text: z.string() }), BYE: null },
 * })
 */
export function defineProtocol<
  const R extends MessageSchemas,
  const S extends MessageSchemas,
  // eslint-disable-next-line @typescript-eslint/no-generated-empty-object-type -- what it is: no fields
  State extends object = Record<never, never>,
  Snapshot extends Schema = Schema,
  Credentials extends Schema = Schema,
  Checkpoint extends Schema = Schema,
>(
  definition: ProtocolDefinition<R, S, State, Snapshot, Credentials, Checkpoint>,
): Protocol<R, S, State, Snapshot, Credentials, Checkpoint> {
  assertMessageSchemas('receive', definition.receive)
  assertMessageSchemas('send', definition.send)
  const { credentials } = definition
  const isRule = credentials === undefined || isSchema(credentials.schema)
  assertThat(isRule, 'protocol-invalid', 'credentials.schema must be a zod 4 schema')
  if (definition.coordinator !== undefined) assertCoordinatorDefinition(definition.coordinator)
  const { envelope = createEnvelope(), heartbeat = standardHeartbeat } = definition
  for (const [where, schemas, direction] of [
    ['receive', definition.receive, envelope.toClient],
    ['send', definition.send, envelope.toServer],
  ] as const) {
    for (const type of Object.keys(schemas)) {
      const why = 'the envelope uses this type for batches'
      assertThat(isFree(direction, type), 'protocol-invalid', `${where}.${type}: ${why}`)
    }
  }
  return { ...definition, envelope, heartbeat }
}

/** Whether an envelope reads a type as it reads any other: it may use some for batches. */
function isFree(direction: EnvelopeDirection, type: string): boolean {
  const isMessage = (of: string) => direction.open(direction.seal(of, {})).kind === 'message'
  try {
    return isMessage(type) || !isMessage('any other type')
  } catch {
    // An envelope of the user's may want another body. Each frame is read with care anyway.
    return true
  }
}
