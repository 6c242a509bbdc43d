import type { Random } from '../base/clock.js'

/**
 * Makes a source of random numbers: the same seed gives the same numbers on every platform. For
 * tests only, never for secrets.
 */
export function createSeededRandom(seed: number | string): Random {
  const next = createSequence(seed)
  return () => next() / 2 ** 32
}

/** Makes a source of UUIDs (version 4, lower case): the same seed gives the same UUIDs in the same order. */
export function createSeededIds(seed: number | string): () => string {
  const next = createSequence(seed)
  return () => {
    const words = Array.from({ length: 4 }, () => next().toString(16).padStart(8, '0'))
    const [a = '', b = '', c = '', d = ''] = words
    const variant = '89ab'.charAt(Number.parseInt(c.charAt(0), 16) & 3)
    return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`
  }
}

// SplitMix32: a Weyl sequence, mixed by two multiplications. Every seed has the full period of 2^32.
// Neighbouring seeds give unrelated numbers, unlike with a plain linear congruential generator.
function createSequence(seed: number | string): () => number {
  let state = hash(`${typeof seed}:${seed}`)
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return (mixed ^ (mixed >>> 15)) >>> 0
  }
}

// FNV-1a over UTF-16 units.
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  }
  return value >>> 0
}
