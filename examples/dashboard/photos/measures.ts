/** A photo in grey: one byte a pixel, row by row, 0 is black. */
export type GreyImage = { pixels: Uint8Array; width: number; height: number }

/**
 * How a photo's light is spread.
 *
 * - `mean`: mean grey, 0 (black) to 1 (white).
 * - `clippedShadows`, `clippedHighlights`: the share of pixels, 0 to 1, that are as good as black or white.
 */
export type Exposure = {
  mean: number
  clippedShadows: number
  clippedHighlights: number
  verdict: 'under' | 'good' | 'over'
}

/** Greys up to this one, of 255, count as clipped shadows, and as many below 255 as clipped highlights. */
const clippedWithin = 4
/** A photo is underexposed below this mean, and overexposed above its mirror image. */
const darkMean = 0.15
/** A photo is also badly exposed when it is on that side of the middle and this share of it is clipped. */
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
 * Measures sharpness: the variance of the Laplacian of the image, brought to unit variance first, so
 * that neither brightness nor contrast counts; from 0 (flat) to 64 (a checkerboard of single pixels).
 * Values compare between images of about the same size only.
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
  // Less than one grey step of contrast is rounding, not a picture, and would be blown up to one.
  return grey.variance() < 1 ? 0 : edges.variance() / grey.variance()
}

/** Collects whole numbers for their variance; sums of them stay exact, so one pass is enough. */
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
