import type { InvalidReason, RawFrame } from '../schemas/message.js'
import type { Reader } from '../schemas/reader.js'
import { decodeJson } from './json-codec.js'

/** Takes frames off the wire: decodes them, then has them read. Never throws of itself. */
export type Inbound = (frame: RawFrame) => void

/** Makes the way in: codec, then reader. */
export function createInbound(
  read: Reader,
  invalid: (frame: { reason: InvalidReason; detail: string; raw: RawFrame }) => void,
): Inbound {
  return (raw) => {
    const decoded = decodeJson(raw)
    if (decoded.ok) read(decoded.value, raw)
    else invalid({ reason: decoded.reason, detail: decoded.detail, raw })
  }
}
