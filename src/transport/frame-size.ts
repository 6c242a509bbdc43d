import type { RawFrame } from '../schemas/message.js'

/** Whether a frame takes more bytes on the wire than a limit. */
export function isLarger(frame: RawFrame, maxBytes: number): boolean {
  if (typeof frame !== 'string') return frame.byteLength > maxBytes
  // In UTF-8 a UTF-16 unit takes one to three bytes: only text in between has to be encoded.
  if (frame.length * 3 <= maxBytes) return false
  return frame.length > maxBytes || sizeOf(frame) > maxBytes
}

/** The bytes of a frame on the wire. */
export function sizeOf(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}
