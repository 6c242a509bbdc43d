interface RandomSource {
  getRandomValues(bytes: Uint8Array): Uint8Array
}

/**
 * Makes a random UUID (RFC 9562, version 4). It does not call `crypto.randomUUID`, which browsers have
 * in secure contexts only.
 */
export function createUuid(): string {
  const { crypto } = globalThis as unknown as { readonly crypto: RandomSource }
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
