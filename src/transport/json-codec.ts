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

const TOO_DEEP = `nested deeper than ${DEEPEST_JSON} levels`

/** Parses a text frame. Never throws. */
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
    // V8's message quotes the text, which may hold anything.
    return { ok: false, reason: 'not-json', detail: 'not JSON' }
  }
}

/**
 * Makes a text frame that `decodeJson` reads as an equal value. Keys whose value is `undefined`
 * are left out; what JSON would silently turn into `null` (`NaN`, infinities, dates that are none,
 * `undefined` in an array) or cannot hold (cycles, `BigInt`, functions, maps, bytes, too deep a
 * nesting) is an error instead. Never throws.
 */
export function encodeJson(value: unknown): Encoded {
  try {
    // Its types leave out that `undefined` gives no text.
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
 * The same for what has been encoded before, or is put together of that: without a look at each
 * value, which costs most of encoding.
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
      // A date that is none has said by now that it is `null`.
      if (value === null) return isDate(holder, key) ? 'a date that is none' : undefined
      return bags.find((bag) => value instanceof bag)?.name
    default:
      return undefined
  }
}

// What JSON would take for an object without, or with other, keys.
const bags = [Map, Set, ArrayBuffer, Object.getPrototypeOf(Uint8Array) as typeof Uint8Array]

function isDate(holder: unknown, key: string): boolean {
  return (holder as Readonly<Record<string, unknown>>)[key] instanceof Date
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
