import { assertOption } from '../base/errors.js'

// RFC 6455 forbids to send 1004, 1005, 1006 and 1015; ws throws for every code it does not send.
/** Whether a close code may be sent: 1000 to 1014 except 1004 to 1006, and 3000 to 4999. */
export function isSendableCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false
  if (code >= 1000 && code <= 1014) return code < 1004 || code > 1006
  return code >= 3000 && code <= 4999
}

/** Throws `option-invalid` unless a close code may be sent. */
export function assertCloseCode(code: number): void {
  const message = `code: ${code} is not a close code that can be sent`
  assertOption(isSendableCloseCode(code), message)
}

// A close frame holds 125 bytes, two of them the code.
const LONGEST_REASON_BYTES = 123

/** Shortens a reason to what a close frame can hold, without splitting a character. */
export function fitReason(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.byteLength <= LONGEST_REASON_BYTES) return reason
  let end = LONGEST_REASON_BYTES
  while (end > 0 && (bytes.readUInt8(end) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end).toString()
}
