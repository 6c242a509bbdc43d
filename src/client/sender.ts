import type { Clock } from '../base/clock.js'
import type { Protocol } from '../schemas/protocol.js'
import { createValidate, type Validate } from '../schemas/schema.js'
import { encodeJson } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'
import type { SendOutcome } from '../delivery/receipt.js'

/** The way out: schema, then envelope, then codec, then the socket. */
export interface Sender {
  /** Validates the payload of a message that is to be sent. Never throws. */
  validate(type: string, payload: unknown): Validated
  /** Sends a validated message. Never throws. */
  send(type: string, payload: unknown): SendOutcome
  /** Makes a ping frame; `undefined` where the protocol has none. */
  makePing(): string | undefined
  /** Answers a ping of the peer's. */
  answerPing(): void
}

/** A payload as its schema gives it, or why there is none. */
export type Validated =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly outcome: SendOutcome }

/** Makes the way out of a client. */
export function createSender(
  protocol: Pick<Protocol, 'send' | 'envelope' | 'heartbeat'>,
  { clock, hand }: { readonly clock: Clock; readonly hand: (frame: string) => Handover },
): Sender {
  const { envelope, heartbeat } = protocol
  const validators = new Map<string, Validate | null>()
  for (const [type, schema] of Object.entries(protocol.send)) {
    validators.set(type, schema === null ? null : createValidate(schema))
  }

  function validate(type: string, payload: unknown): Validated {
    const validator = validators.get(type)
    if (validator === undefined) return refuse(`the protocol sends no "${type}"`)
    if (validator !== null) {
      const validated = validator(payload)
      if (validated.ok) return validated
      return { ok: false, outcome: { ...invalid(validated.detail), issues: validated.issues } }
    }
    if (payload !== undefined) return refuse(`${type} has no payload`)
    return { ok: true, value: undefined }
  }

  function refuse(detail: string): Validated {
    return { ok: false, outcome: invalid(detail) }
  }

  function makeControl(type: string): string | undefined {
    if (heartbeat === false) return undefined
    const epochMs = clock.epoch()
    const body = heartbeat.body === undefined ? { timestamp: epochMs } : heartbeat.body(epochMs)
    const encoded = encodeJson(envelope.toServer.seal(type, body))
    return encoded.ok ? encoded.frame : undefined
  }

  return {
    validate,
    send(type, payload) {
      const encoded = encodeJson(envelope.toServer.seal(type, payload))
      return encoded.ok ? toOutcome(hand(encoded.frame)) : invalid(encoded.detail)
    },
    makePing: () => (heartbeat === false ? undefined : makeControl(heartbeat.ping)),
    answerPing() {
      const frame = heartbeat === false ? undefined : makeControl(heartbeat.pong)
      if (frame !== undefined) hand(frame)
    },
  }
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
      return { outcome: 'notSent', reason: 'full', detail: 'Too many bytes wait in the socket.' }
    default:
      return handover satisfies never
  }
}
