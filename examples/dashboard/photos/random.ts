/** A seeded source of random numbers: the same seed gives the same numbers on every machine. */
export type Random = {
  /** A number from 0 up to, but not including, 1. */
  next(): number
  /** A number from `low` up to, but not including, `high`. */
  between(low: number, high: number): number
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number
}

/** Makes a `Random` (the sfc32 generator) from any text or number. */
export function createRandom(seed: string | number): Random {
  let a = hashText(`a${seed}`)
  let b = hashText(`b${seed}`)
  let c = hashText(`c${seed}`)
  let counter = 1

  const next32 = () => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  // Seeds that differ in one character give similar states. A dozen rounds make them different.
  for (let round = 0; round < 12; round++) next32()

  const next = () => next32() / 2 ** 32
  return {
    next,
    between: (low, high) => low + next() * (high - low),
    whole: (low, high) => low + Math.floor(next() * (high - low + 1)),
  }
}

/** 32-bit FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash | 0
}
