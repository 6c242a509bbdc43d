import type { Clock } from '../clock.js'
import type { Protocol } from '../schemas/protocol.js'
import { createValidate, type Validate } from '../schemas/schema.js'
import { encodeJson } from '../transport/json-codec.js'
import type { Handover } from '../transport/link.js'
import type { SendOutcome } from './receipt.js'

/** The way out: schema, then envelope, then codec, then the socket. */
export interface Sender {
  /** Sends one message. Never throws. */
  send(type: string, payload: unknown): SendOutcome
  /** Makes a ping frame; `undefined` where the protocol has none. */
  makePing(): string | undefined
  /** Answers a ping of the peer's. */
  answerPing(): void
}

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

  function send(type: string, payload: unknown): SendOutcome {
    const validate = validators.get(type)
    if (validate === undefined) return invalid(`the protocol sends no "${type}"`)
    if (validate === null && payload !== undefined) return invalid(`${type} has no payload`)
    const validated =
      validate === null ? { ok: true as const, value: undefined } : validate(payload)
    if (!validated.ok) return { ...invalid(validated.detail), issues: validated.issues }
    const encoded = encodeJson(envelope.toServer.seal(type, validated.value))
    return encoded.ok ? toOutcome(hand(encoded.frame)) : invalid(encoded.detail)
  }

  function makeControl(type: string): string | undefined {
    if (heartbeat === false) return undefined
    const epochMs = clock.epoch()
    const body = heartbeat.body === undefined ? { timestamp: epochMs } : heartbeat.body(epochMs)
    const encoded = encodeJson(envelope.toServer.seal(type, body))
    return encoded.ok ? encoded.frame : undefined
  }

  return {
    send,
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
