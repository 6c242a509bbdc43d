import type { RawFrame } from '../schemas/message.js'

/** Whether a frame is larger on the wire than a limit in bytes. */
export function isLarger(frame: RawFrame, maxBytes: number): boolean {
  if (typeof frame !== 'string') return frame.byteLength > maxBytes
  // A UTF-16 unit takes one to three bytes in UTF-8: only text in between has to be encoded.
  if (frame.length * 3 <= maxBytes) return false
  return frame.length > maxBytes || sizeOf(frame) > maxBytes
}

/** The size of a frame on the wire, in bytes. */
export function sizeOf(frame: RawFrame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).byteLength : frame.byteLength
}
