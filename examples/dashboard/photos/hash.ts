import type { GreyImage } from './measures.js'

/** The image is scaled down to this many pixels per side before its frequencies are computed. */
const side = 32
/** This many frequencies per side are used: 8 × 8 give 64 bits. */
const frequencies = 8

/**
 * A 64-bit perceptual hash as 16 hexadecimal digits. Each bit tells whether one of the image's 64
 * lowest frequencies (DCT) is above their median. Shifts of a few pixels, another exposure, size or
 * encoding change few bits; another scene changes about half of them.
 */
export function perceptualHash(image: GreyImage): string {
  const small = shrink(image)
  const columns = transformRows(small, side)
  const coefficients = transformRows(transpose(columns, frequencies, side), side)
  // Rounded, so that rounding errors in a flat image do not set random bits.
  const rounded = Array.from(coefficients, Math.round)
  const [, ...withoutMean] = rounded
  const median = withoutMean.sort((a, b) => a - b)[withoutMean.length >> 1] ?? 0

  let hash = 0n
  for (const coefficient of rounded) hash = (hash << 1n) | (coefficient > median ? 1n : 0n)
  return hash.toString(16).padStart(16, '0')
}

/** How many of 64 bits of two perceptual hashes differ: 0 (equal) to 64. */
export function hammingDistance(a: string, b: string): number {
  let distance = 0
  for (const half of [0, 8]) {
    const difference =
      Number.parseInt(a.slice(half, half + 8), 16) ^ Number.parseInt(b.slice(half, half + 8), 16)
    distance += countBits(difference)
  }
  return distance
}

function countBits(bits: number): number {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  return count
}

/** Means over a grid of `side` × `side` areas. An image smaller than that repeats pixels. */
function shrink({ pixels, width, height }: GreyImage): Float64Array {
  const small = new Float64Array(side * side)
  for (let row = 0; row < side; row++) {
    const [top, bottom] = span(row, height)
    for (let column = 0; column < side; column++) {
      const [left, right] = span(column, width)
      let sum = 0
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += pixels[y * width + x] ?? 0
      }
      small[row * side + column] = sum / ((bottom - top) * (right - left))
    }
  }
  return small
}

function span(cell: number, length: number): [start: number, end: number] {
  const start = Math.floor((cell * length) / side)
  return [start, Math.max(start + 1, Math.floor(((cell + 1) * length) / side))]
}

/** The lowest frequencies of each row of `length` values: an unscaled DCT-II. */
function transformRows(values: Float64Array, length: number): Float64Array {
  const rows = values.length / length
  const transformed = new Float64Array(rows * frequencies)
  for (let frequency = 0; frequency < frequencies; frequency++) {
    for (let at = 0; at < length; at++) {
      const wave = Math.cos((Math.PI * frequency * (2 * at + 1)) / (2 * length))
      for (let row = 0; row < rows; row++) {
        const index = row * frequencies + frequency
        transformed[index] = (transformed[index] ?? 0) + wave * (values[row * length + at] ?? 0)
      }
    }
  }
  return transformed
}

function transpose(values: Float64Array, columns: number, rows: number): Float64Array {
  return Float64Array.from(
    values,
    (_, at) => values[(at % rows) * columns + Math.floor(at / rows)] ?? 0,
  )
}
