import type { Clock } from '../base/clock.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { ReadMessage } from '../schemas/reader.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import { encodeMessage } from './outgoing.js'
import type { AnyIncomingMessage, ConnectedClient } from './client.js'
import type { ControlResult, DeliveryPort } from './delivery/port.js'
import type { Member } from './members.js'
import type { SyncServerOptions } from './options.js'
import type { Reporting } from './reporting.js'

/** What {@link ClientMessages} needs. */
export interface ClientMessagesOptions<R extends MessageSchemas, S extends MessageSchemas>
  extends Pick<SyncServerOptions<R, S>, 'protocol' | 'on' | 'onMessage'> {
  readonly clock: Clock
  readonly reporting: Reporting
  readonly delivery: DeliveryPort
}

/** An incoming message as handlers get it, before its type is told apart. */
interface Handled<R extends MessageSchemas> {
  readonly client: ConnectedClient<R>
  readonly type: string
  readonly payload: unknown
  readonly id?: string
}

/**
 * Does what the messages of clients ask for: relays them, calls handlers, answers pings. No method
 * throws.
 */
export class ClientMessages<R extends MessageSchemas, S extends MessageSchemas> {
  readonly #options: ClientMessagesOptions<R, S>
  /** The type under which a message goes on to the user's devices, by the type it came with. */
  readonly #relays: ReadonlyMap<string, TypeOf<R> | undefined>
  readonly #handlers: ReadonlyMap<string, (message: unknown) => unknown>

  constructor(options: ClientMessagesOptions<R, S>) {
    this.#options = options
    this.#relays = new Map(Object.entries(options.protocol.server?.relay ?? {}))
    // `on` ties each type to its handler, and the reader has tied each type to its schema.
    this.#handlers = new Map(
      Object.entries(options.on ?? {}) as [string, (message: unknown) => unknown][],
    )
  }

  /** A valid message. */
  message(member: Member<R>, message: ReadMessage): void {
    const { delivery } = this.#options
    if (delivery.isDraining) return
    const { cid, n } = message.meta
    if (cid === undefined || n === undefined || member.subscription.isPlain) {
      this.#handlePlain(member, message)
      return
    }
    const incoming = describe(member, message, `${cid}/${n}`)
    const relayType = this.#relays.get(message.type)
    member.subscription.receive({
      kind: 'valid',
      cid,
      n,
      message: incoming,
      relayed: relayType === undefined ? undefined : { type: relayType, data: message.data },
      handle: () => this.#handle(incoming),
    })
  }

  /** A message of an unknown type, or one that does not fit its schema. */
  unacceptable(
    { subscription }: Member<R>,
    { cid, n }: MessageMeta,
    code: 'invalid' | 'unknown-type',
  ): void {
    if (this.#options.delivery.isDraining || cid === undefined || n === undefined) return
    subscription.receive({ kind: 'unacceptable', cid, n, code })
  }

  control({ subscription }: Member<R>, type: string, payload: unknown): ControlResult {
    // A client that resumes while this server closes is answered by the next one.
    if (this.#options.delivery.isDraining && !subscription.isPlain) return 'handled'
    return subscription.control(type, payload)
  }

  pinged({ connection }: Member<R>): void {
    const { clock, protocol, reporting } = this.#options
    const { heartbeat } = protocol
    if (heartbeat === false) return
    reporting.runUserCode('heartbeat.body', () => {
      const timestamp = clock.epoch()
      const hasBody = (protocol.receive[heartbeat.pong] ?? null) !== null
      const body = heartbeat.body ?? ((epochMs: number) => ({ timestamp: epochMs }))
      const pong = { type: heartbeat.pong, data: hasBody ? body(timestamp) : undefined }
      connection.send(encodeMessage(protocol.envelope.toClient, pong, { timestamp }))
    })
  }

  /** Logs that a frame was ignored. `detail` repeats nothing of it but the type. */
  ignored(
    { client: { userId, deviceId } }: Member<R>,
    event: string,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    this.#options.reporting.log('info', 'messages', event, { ...detail, userId, deviceId })
  }

  #handlePlain(member: Member<R>, message: ReadMessage): void {
    const { delivery, reporting } = this.#options
    const { type, data } = message
    const relayType = this.#relays.get(type)
    const isHandled = this.#options.onMessage !== undefined || this.#handlers.has(type)
    const handle = () => {
      if (isHandled) this.#handle(describe(member, message))
    }
    if (relayType === undefined) {
      delivery.afterPending(member.client.userId, handle)
      return
    }
    let isRelayed = false as boolean
    // A value that its schema accepts may be one that JSON cannot hold.
    reporting.runUserCode(`relay of ${type}`, () => {
      delivery.relay(member.client, { type: relayType, data }, handle)
      isRelayed = true
    })
    if (!isRelayed) handle()
  }

  #handle(message: Handled<R>): void {
    const { onMessage, reporting } = this.#options
    const handler = this.#handlers.get(message.type)
    if (handler !== undefined) {
      reporting.runUserCode(`on.${message.type}`, () => handler(message))
    }
    if (onMessage !== undefined) {
      reporting.runUserCode('onMessage', () => onMessage(message as AnyIncomingMessage<R, S>))
    }
  }
}

function describe<R extends MessageSchemas>(
  { client }: Member<R>,
  { type, data }: ReadMessage,
  id?: string,
): Handled<R> {
  return { client, type, payload: data, ...(id !== undefined && { id }) }
}
