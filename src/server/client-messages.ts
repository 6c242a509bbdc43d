import { isControlType } from '../schemas/control-type.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { RawFrame } from '../schemas/message.js'
import { createReader, type Reader, type ReadMessage } from '../schemas/reader.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import { decodeJson } from '../transport/json-codec.js'
import type { AnyIncomingMessage, ConnectedClient } from './client.js'
import type { ControlResult, ServerDeliveryPort } from './delivery/port.js'
import type { Member } from './members.js'
import type { ServerContext } from './options.js'
import { encodeMessage } from './outgoing.js'

/** An incoming message as handlers get it, before its type is told apart. */
interface Handled<R extends MessageSchemas> {
  readonly client: ConnectedClient<R>
  readonly type: string
  readonly payload: unknown
  readonly id?: string
}

type MessageHandler = (message: unknown) => unknown

// A type is text that a client chose.
const LONGEST_LOGGED_TYPE = 80

/**
 * Reads the frames of all clients of a server, and does what their messages ask for: relays them,
 * calls handlers, answers pings. One reader, so one set of routes, serves all clients.
 */
export class ClientMessages<R extends MessageSchemas, S extends MessageSchemas> {
  readonly #context: ServerContext<R, S>
  readonly #delivery: ServerDeliveryPort
  readonly #reader: Reader
  /** The type under which a message goes on to the user's devices, by the type it came with. */
  readonly #relays: ReadonlyMap<string, TypeOf<R> | undefined>
  readonly #handlers: ReadonlyMap<string, MessageHandler>
  /** Whose frame is being read. Reading is synchronous, so it need not travel through the reader. */
  #sender!: Member<R>

  constructor(context: ServerContext<R, S>, delivery: ServerDeliveryPort) {
    const { on = {}, protocol } = context
    this.#context = context
    this.#delivery = delivery
    this.#relays = new Map(Object.entries(protocol.server?.relay ?? {}))
    // `on` ties each type to its handler, and the reader has tied each type to its schema.
    this.#handlers = new Map(Object.entries<unknown>(on) as [string, MessageHandler][])
    this.#reader = createReader({
      schemas: protocol.send,
      direction: protocol.envelope.toServer,
      heartbeat: protocol.heartbeat,
      sink: {
        message: (message) => this.#receive(this.#sender, message),
        unknown: ({ type, data, meta }) => this.#receiveUnknown(this.#sender, type, data, meta),
        invalid: ({ reason, detail }, meta) => {
          this.#logInvalid(this.#sender, reason, detail)
          if (meta !== undefined) this.#refuse(this.#sender, meta, 'invalid')
        },
        pinged: () => this.#answerPing(this.#sender),
        ponged() {},
      },
    })
  }

  /** Reads a frame. Never throws, whatever is in it. */
  read(sender: Member<R>, frame: RawFrame): void {
    this.#sender = sender
    const decoded = decodeJson(frame)
    if (decoded.ok) this.#reader(decoded.value, frame)
    else this.#logInvalid(sender, decoded.reason, decoded.detail)
  }

  #receive(member: Member<R>, message: ReadMessage): void {
    this.#context.counters.messagesIn += 1
    if (this.#delivery.isDraining) return
    const { cid, n } = message.meta
    if (cid === undefined || n === undefined || member.subscription.isPlain) {
      this.#receivePlain(member, message)
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

  #receivePlain(member: Member<R>, message: ReadMessage): void {
    const { onMessage, reporting } = this.#context
    const { type, data } = message
    const relayType = this.#relays.get(type)
    const isHandled = onMessage !== undefined || this.#handlers.has(type)
    const handle = () => {
      if (isHandled) this.#handle(describe(member, message))
    }
    if (relayType === undefined) {
      this.#delivery.afterPending(member.client.userId, handle)
      return
    }
    let isRelayed = false as boolean
    // A value that its schema accepts may be one that JSON cannot hold.
    reporting.runUserCode(`relay of ${type}`, () => {
      this.#delivery.relay(member.client, { type: relayType, data }, handle)
      isRelayed = true
    })
    if (!isRelayed) handle()
  }

  #receiveUnknown(member: Member<R>, type: string, data: unknown, meta: MessageMeta): void {
    const result = isControlType(type) ? this.#control(member, type, data) : 'unknown'
    if (result === 'handled') return
    if (result === 'invalid') {
      this.#logInvalid(member, 'schema-mismatch', `${type} does not fit its schema`)
      return
    }
    this.#context.counters.unknown += 1
    this.#log(member, 'message.unknown', { type: type.slice(0, LONGEST_LOGGED_TYPE) })
    this.#refuse(member, meta, 'unknown-type')
  }

  #control({ subscription }: Member<R>, type: string, payload: unknown): ControlResult {
    // A client that resumes while this server closes is answered by the next one.
    if (this.#delivery.isDraining && !subscription.isPlain) return 'handled'
    return subscription.control(type, payload)
  }

  #refuse({ subscription }: Member<R>, { cid, n }: MessageMeta, code: string): void {
    if (this.#delivery.isDraining || cid === undefined || n === undefined) return
    subscription.receive({ kind: 'unacceptable', cid, n, code })
  }

  #answerPing({ connection }: Member<R>): void {
    const { clock, envelope, protocol, reporting } = this.#context
    const { heartbeat } = protocol
    if (heartbeat === false) return
    reporting.runUserCode('heartbeat.body', () => {
      const timestamp = clock.epoch()
      const hasBody = (protocol.receive[heartbeat.pong] ?? null) !== null
      const body = heartbeat.body ?? ((epochMs: number) => ({ timestamp: epochMs }))
      const pong = { type: heartbeat.pong, data: hasBody ? body(timestamp) : undefined }
      connection.send(encodeMessage(envelope, pong, { timestamp }))
    })
  }

  #handle(message: Handled<R>): void {
    const { onMessage, reporting } = this.#context
    const handler = this.#handlers.get(message.type)
    if (handler !== undefined) {
      reporting.runUserCode(`on.${message.type}`, () => handler(message))
    }
    if (onMessage !== undefined) {
      reporting.runUserCode('onMessage', () => onMessage(message as AnyIncomingMessage<R, S>))
    }
  }

  #logInvalid(member: Member<R>, reason: string, detail: string): void {
    this.#context.counters.invalid += 1
    this.#log(member, 'frame.invalid', { reason, detail })
  }

  /** Logs that a frame was ignored. `detail` repeats nothing of it but the type. */
  #log({ client }: Member<R>, event: string, detail: Readonly<Record<string, unknown>>): void {
    const { userId, deviceId } = client
    this.#context.reporting.log('info', 'messages', event, { ...detail, userId, deviceId })
  }
}

function describe<R extends MessageSchemas>(
  { client }: Member<R>,
  { type, data }: ReadMessage,
  id?: string,
): Handled<R> {
  return { client, type, payload: data, ...(id !== undefined && { id }) }
}
