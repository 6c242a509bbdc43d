import type { InvalidReason, RawFrame } from '../schemas/message.js'
import type { Reader } from '../schemas/reader.js'

/** The value of a frame, or why the frame could not be decoded. */
export type Decoded =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: InvalidReason; readonly detail: string }

/** The frame of a value, or why the value could not be encoded. */
export type Encoded =
  | { readonly ok: true; readonly frame: string }
  | { readonly ok: false; readonly detail: string }

/**
 * The deepest nesting that is decoded. `JSON.parse` accepts a million levels, but its result then
 * overflows the stack of code that copies, compares or prints it.
 */
export const DEEPEST_JSON = 512

const TOO_DEEP = `nested deeper than ${DEEPEST_JSON} levels`

/** Decodes a text frame. Never throws. */
export function decodeJson(frame: RawFrame): Decoded {
  if (typeof frame !== 'string') {
    return { ok: false, reason: 'not-text', detail: 'a binary frame' }
  }
  if (isTooDeep(frame)) {
    return { ok: false, reason: 'too-deep', detail: TOO_DEEP }
  }
  try {
    return { ok: true, value: JSON.parse(frame) }
  } catch {
    // V8's message is dropped: it quotes the text, which may hold a secret.
    return { ok: false, reason: 'not-json', detail: 'not JSON' }
  }
}

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

/**
 * Encodes a value as a text frame that `decodeJson` decodes to an equal value. Keys whose value is
 * `undefined` are left out. An error is given for what JSON would turn into `null` (`NaN`,
 * infinities, invalid dates, `undefined` in an array), and for what JSON cannot hold (cycles,
 * `BigInt`, functions, maps, bytes, nesting that is too deep). Never throws.
 */
export function encodeJson(value: unknown): Encoded {
  try {
    // The types of `JSON.stringify` leave out that it gives `undefined` for some values.
    const frame = JSON.stringify(value, refuseWhatIsLost) as string | undefined
    if (frame === undefined) return { ok: false, detail: 'not a JSON value' }
    if (isTooDeep(frame)) return { ok: false, detail: TOO_DEEP }
    return { ok: true, frame }
  } catch (error) {
    if (error instanceof NotJson) return { ok: false, detail: error.message }
    if (error instanceof RangeError) return { ok: false, detail: TOO_DEEP }
    return { ok: false, detail: 'a cycle, a BigInt, or a toJSON that threw' }
  }
}

/**
 * Encodes a value made of values that were encoded before. Does not check each value, which is most
 * of the cost of encoding.
 */
export function encodeCheckedJson(value: unknown): Encoded {
  try {
    return { ok: true, frame: JSON.stringify(value) }
  } catch {
    return { ok: false, detail: 'a toJSON that threw' }
  }
}

class NotJson extends Error {}

function refuseWhatIsLost(this: unknown, key: string, value: unknown): unknown {
  const what = nameWhatIsLost(this, key, value)
  if (what === undefined) return value
  throw new NotJson(`${key === '' ? 'the value' : key} is ${what}, which JSON cannot hold`)
}

function nameWhatIsLost(holder: unknown, key: string, value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : String(value)
    case 'function':
    case 'symbol':
      return `a ${typeof value}`
    case 'undefined':
      return Array.isArray(holder) ? 'an item without a value' : undefined
    case 'object':
      // The `toJSON` of an invalid date has turned it into `null` by now.
      if (value === null) return isDate(holder, key) ? 'a date that is none' : undefined
      return bags.find((bag) => value instanceof bag)?.name
    default:
      return undefined
  }
}

// JSON would encode these as objects, without keys or with other keys.
const bags = [Map, Set, ArrayBuffer, Object.getPrototypeOf(Uint8Array) as typeof Uint8Array]

function isDate(holder: unknown, key: string): boolean {
  return (holder as Readonly<Record<string, unknown>>)[key] instanceof Date
}

// Short text cannot be that deep: for messages of the usual size this costs one comparison. Strings
// are skipped, which most of a message consists of.
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
