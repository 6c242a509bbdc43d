import type { Clock } from '../base/clock.js'
import type { SendOutcome } from '../delivery/receipt.js'
import type { Protocol } from '../schemas/protocol.js'
import { createValidate, type Validate } from '../schemas/schema.js'
import { encodeJson } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'

/** A payload as its schema gives it, or why there is none. */
export type ValidatedPayload =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly outcome: SendOutcome }

const handoverDetails = {
  notConnected: 'There is no connection.',
  full: "The socket's buffer is full.",
} as const

/** The way out: schema, then envelope, then codec, then the link. No method throws. */
export class Sender {
  readonly #protocol: Pick<Protocol, 'envelope' | 'heartbeat'>
  readonly #clock: Clock
  readonly #sendFrame: (frame: string) => Handover
  // `null`: messages of this type have no payload.
  readonly #validators: ReadonlyMap<string, Validate | null>

  constructor(
    protocol: Pick<Protocol, 'send' | 'envelope' | 'heartbeat'>,
    clock: Clock,
    sendFrame: (frame: string) => Handover,
  ) {
    this.#protocol = protocol
    this.#clock = clock
    this.#sendFrame = sendFrame
    const schemas = Object.entries(protocol.send)
    this.#validators = new Map(
      schemas.map(([type, schema]) => [type, schema && createValidate(schema)]),
    )
  }

  /** Validates the payload of a message that is to be sent. */
  validate(type: string, payload: unknown): ValidatedPayload {
    const validate = this.#validators.get(type)
    if (validate === undefined) return refused(`the protocol sends no "${type}"`)
    if (validate === null) {
      return payload === undefined
        ? { ok: true, value: payload }
        : refused(`${type} has no payload`)
    }
    const validated = validate(payload)
    if (validated.ok) return validated
    return { ok: false, outcome: { ...invalid(validated.detail), issues: validated.issues } }
  }

  /** Sends a validated message, if there is an open connection. */
  send(type: string, payload: unknown): SendOutcome {
    const encoded = encodeJson(this.#protocol.envelope.toServer.seal(type, payload))
    if (!encoded.ok) return invalid(encoded.detail)
    const handover = this.#sendFrame(encoded.frame)
    if (handover === 'sent') return { outcome: 'sent' }
    return { outcome: 'notSent', reason: handover, detail: handoverDetails[handover] }
  }

  /** Makes a ping or pong frame; `undefined` if the protocol has no heartbeat. */
  makeHeartbeat(kind: 'ping' | 'pong'): string | undefined {
    const { envelope, heartbeat } = this.#protocol
    if (heartbeat === false) return undefined
    const epochMs = this.#clock.epoch()
    const body = heartbeat.body === undefined ? { timestamp: epochMs } : heartbeat.body(epochMs)
    const encoded = encodeJson(envelope.toServer.seal(heartbeat[kind], body))
    return encoded.ok ? encoded.frame : undefined
  }

  /** Answers a ping of the server. */
  answerPing(): void {
    const frame = this.makeHeartbeat('pong')
    if (frame !== undefined) this.#sendFrame(frame)
  }
}

function refused(detail: string): ValidatedPayload {
  return { ok: false, outcome: invalid(detail) }
}

function invalid(detail: string) {
  return { outcome: 'notSent', reason: 'invalid', detail } as const
}
