import type { InvalidReason, RawFrame } from '../schemas/message.js'

/** A frame taken apart, or why it could not be. */
export type Decoded =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: InvalidReason; readonly detail: string }

/** A value made into a frame, or why it cannot be. */
export type Encoded =
  | { readonly ok: true; readonly frame: string }
  | { readonly ok: false; readonly detail: string }

/**
 * The deepest nesting that is read. `JSON.parse` takes a million levels, but what it gives then
 * overflows the stack of whoever copies, compares or prints it.
 */
export const DEEPEST_JSON = 512

/** Parses a text frame. Never throws. */
export function decodeJson(frame: RawFrame): Decoded {
  if (typeof frame !== 'string') {
    return { ok: false, reason: 'not-text', detail: 'a binary frame' }
  }
  if (isTooDeep(frame)) {
    return { ok: false, reason: 'too-deep', detail: `nested deeper than ${DEEPEST_JSON} levels` }
  }
  try {
    return { ok: true, value: JSON.parse(frame) }
  } catch {
    // V8's message quotes the text, which may hold anything.
    return { ok: false, reason: 'not-json', detail: 'not JSON' }
  }
}

/**
 * Makes a text frame. Keys whose value is `undefined` are left out; what JSON would silently turn
 * into `null` (`undefined` in an array, `NaN`, infinities) or cannot hold (cycles, `BigInt`,
 * endless depth) is an error instead. Never throws.
 */
export function encodeJson(value: unknown): Encoded {
  try {
    // Its types leave out that a function, a symbol or `undefined` gives no text.
    const frame = JSON.stringify(value, refuseSilentNull) as string | undefined
    if (frame === undefined) return { ok: false, detail: 'not a JSON value' }
    return { ok: true, frame }
  } catch (error) {
    if (error instanceof NotJson) return { ok: false, detail: error.message }
    if (error instanceof RangeError) return { ok: false, detail: 'nested too deep' }
    return { ok: false, detail: 'a cycle, a BigInt, or a toJSON that threw' }
  }
}

class NotJson extends Error {}

function refuseSilentNull(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new NotJson(`${key === '' ? 'the value' : key} is ${value}, which JSON cannot hold`)
  }
  const isAbsent = value === undefined || typeof value === 'function' || typeof value === 'symbol'
  if (isAbsent && Array.isArray(this)) throw new NotJson(`item ${key} of an array has no value`)
  return value
}

// Only text that is long enough to be that deep is looked at: for messages of the usual size
// this costs one comparison. Strings, most of what is in a message, are jumped over.
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * DEEPEST_JSON) return false
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        break
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1
        if (depth > DEEPEST_JSON) return true
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth -= 1
        break
      default:
    }
  }
  return false
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end < 0 ? text.length : end
}

function isEscaped(text: string, at: number): boolean {
  let before = at - 1
  while (text.charCodeAt(before) === BACKSLASH) before -= 1
  return (at - before) % 2 === 0
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
