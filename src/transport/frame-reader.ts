import type { InvalidReason, RawFrame } from '../schemas/message.js'
import type { Reader } from '../schemas/reader.js'
import { decodeJson } from './json-codec.js'

/**
 * Makes the function that takes every frame of a socket: it decodes the frame, then gives it to the
 * reader. A frame that cannot be decoded goes to `invalid`. The function itself never throws.
 */
export function createFrameReader(
  read: Reader,
  invalid: (frame: { reason: InvalidReason; detail: string; raw: RawFrame }) => void,
): (frame: RawFrame) => void {
  return (raw) => {
    const decoded = decodeJson(raw)
    if (decoded.ok) read(decoded.value, raw)
    else invalid({ reason: decoded.reason, detail: decoded.detail, raw })
  }
}
