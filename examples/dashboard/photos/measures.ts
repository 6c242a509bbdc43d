/** A photo in grey: one byte a pixel, row by row, 0 is black. */
export type GreyImage = { pixels: Uint8Array; width: number; height: number }

/**
 * How the light of a photo is distributed.
 *
 * - `mean`: mean grey, 0 (black) to 1 (white).
 * - `clippedShadows`, `clippedHighlights`: the share of pixels, 0 to 1, that are nearly black or
 *   nearly white.
 */
export type Exposure = {
  mean: number
  clippedShadows: number
  clippedHighlights: number
  verdict: 'under' | 'good' | 'over'
}

/**
 * Grey values up to this one, of 255, count as clipped shadows. Clipped highlights are the same
 * range below 255.
 */
const clippedWithin = 4
/** A photo is underexposed below this mean, and overexposed above 1 minus this mean. */
const darkMean = 0.15
/**
 * A photo is also badly exposed if its mean is on that side of the middle and this share of it is
 * clipped.
 */
const clippedShare = 0.35

/** Measures exposure over the whole image. */
export function measureExposure({ pixels }: GreyImage): Exposure {
  let sum = 0
  let shadows = 0
  let highlights = 0
  for (const grey of pixels) {
    sum += grey
    if (grey <= clippedWithin) shadows++
    else if (grey >= 255 - clippedWithin) highlights++
  }
  const mean = sum / pixels.length / 255
  const clippedShadows = shadows / pixels.length
  const clippedHighlights = highlights / pixels.length
  const isUnder = mean < darkMean || (mean < 0.5 && clippedShadows > clippedShare)
  const isOver = mean > 1 - darkMean || (mean > 0.5 && clippedHighlights > clippedShare)
  return {
    mean,
    clippedShadows,
    clippedHighlights,
    verdict: isUnder ? 'under' : isOver ? 'over' : 'good',
  }
}

/**
 * Measures sharpness: the variance of the Laplacian of the image. The image first gets unit
 * variance, so that brightness and contrast do not count. From 0 (flat) to 64 (a checkerboard of
 * single pixels). Only values of images of about the same size can be compared.
 */
export function measureSharpness({ pixels, width, height }: GreyImage): number {
  if (width < 3 || height < 3) return 0
  const grey = spread()
  const edges = spread()
  for (let y = 1; y < height - 1; y++) {
    const row = y * width
    for (let at = row + 1; at < row + width - 1; at++) {
      const centre = pixel(pixels, at)
      const around =
        pixel(pixels, at - 1) +
        pixel(pixels, at + 1) +
        pixel(pixels, at - width) +
        pixel(pixels, at + width)
      grey.add(centre)
      edges.add(around - 4 * centre)
    }
  }
  // A contrast below one grey step is rounding, and must not be scaled up.
  return grey.variance() < 1 ? 0 : edges.variance() / grey.variance()
}

/** Computes the variance of whole numbers in one pass: their sums are exact. */
function spread() {
  let count = 0
  let sum = 0
  let squares = 0
  return {
    add(value: number) {
      count++
      sum += value
      squares += value * value
    },
    variance: () => squares / count - (sum / count) ** 2,
  }
}

function pixel(pixels: Uint8Array, at: number): number {
  return pixels[at] ?? 0
}
