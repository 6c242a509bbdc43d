import type { Clock } from '../base/clock.js'
import type { SendOutcome } from '../delivery/receipt.js'
import type { Heartbeat } from '../schemas/policy.js'
import type { Protocol } from '../schemas/protocol.js'
import { createValidate, type Validate } from '../schemas/schema.js'
import { encodeJson } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'

/** A payload as its schema gives it, or why there is none. */
export type ValidatedPayload =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly outcome: SendOutcome }

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
    this.#validators = new Map(
      Object.entries(protocol.send).map(([type, schema]) => [
        type,
        schema === null ? null : createValidate(schema),
      ]),
    )
  }

  /** Validates the payload of a message that is to be sent. */
  validate(type: string, payload: unknown): ValidatedPayload {
    const validate = this.#validators.get(type)
    if (validate === undefined) return refused(`the protocol sends no "${type}"`)
    if (validate === null) {
      return payload === undefined
        ? { ok: true, value: undefined }
        : refused(`${type} has no payload`)
    }
    const validated = validate(payload)
    if (validated.ok) return validated
    return { ok: false, outcome: { ...invalid(validated.detail), issues: validated.issues } }
  }

  /** Sends a validated message, if there is an open connection. */
  send(type: string, payload: unknown): SendOutcome {
    const encoded = encodeJson(this.#protocol.envelope.toServer.seal(type, payload))
    return encoded.ok ? toOutcome(this.#sendFrame(encoded.frame)) : invalid(encoded.detail)
  }

  /** Makes a ping frame; `undefined` if the protocol has no heartbeat. */
  makePing(): string | undefined {
    const { heartbeat } = this.#protocol
    return heartbeat === false ? undefined : this.#makeControl(heartbeat.ping, heartbeat)
  }

  /** Answers a ping of the server. */
  answerPing(): void {
    const { heartbeat } = this.#protocol
    if (heartbeat === false) return
    const frame = this.#makeControl(heartbeat.pong, heartbeat)
    if (frame !== undefined) this.#sendFrame(frame)
  }

  #makeControl(type: string, { body }: Heartbeat): string | undefined {
    const epochMs = this.#clock.epoch()
    const payload = body === undefined ? { timestamp: epochMs } : body(epochMs)
    const encoded = encodeJson(this.#protocol.envelope.toServer.seal(type, payload))
    return encoded.ok ? encoded.frame : undefined
  }
}

function refused(detail: string): ValidatedPayload {
  return { ok: false, outcome: invalid(detail) }
}

function invalid(detail: string) {
  return { outcome: 'notSent', reason: 'invalid', detail } as const
}

function toOutcome(handover: Handover): SendOutcome {
  switch (handover) {
    case 'sent':
      return { outcome: 'sent' }
    case 'notConnected':
      return { outcome: 'notSent', reason: 'notConnected', detail: 'There is no connection.' }
    case 'full':
      return { outcome: 'notSent', reason: 'full', detail: "The socket's buffer is full." }
    default:
      return handover satisfies never
  }
}
