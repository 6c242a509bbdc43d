import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { perceptualHash } from './hash.js'
import { type Exposure, type GreyImage, measureExposure, measureSharpness } from './measures.js'

/** The faults that a photo can have by itself. */
export type PhotoFault = 'blurred' | 'underexposed' | 'overexposed'

/**
 * The measurements of a photo.
 *
 * - `width`, `height`: pixels as shown, after EXIF orientation.
 * - `sharpness`: 0 (flat) upward, see `measureSharpness`; a blurred photo is below `blurredBelow`.
 * - `hash`: 16 hexadecimal digits, see `perceptualHash`.
 * - `verdict`: `reject` if there is any fault.
 */
export type PhotoAnalysis = {
  width: number
  height: number
  sharpness: number
  exposure: Exposure
  hash: string
  faults: readonly PhotoFault[]
  verdict: 'keep' | 'reject'
}

/** A photo's analysis, or why there is none: the file cannot be read, or is no complete image. */
export type PhotoResult =
  | ({ ok: true } & PhotoAnalysis)
  | { ok: false; reason: 'unreadable' | 'undecodable'; message: string }

/**
 * The long side of a photo is scaled down to this many pixels, so that measurements can be
 * compared.
 */
const measuredSide = 1024

/** Photos below this sharpness are blurred. */
const blurredBelow = 0.02

/**
 * Decodes a complete photo and measures it. A file that is missing, truncated or no image gives
 * `ok: false`. Rejects only with the signal's reason, at once when aborted. A decode cannot be
 * stopped: it runs to its end, and its result is ignored.
 */
export async function analyzePhoto(
  path: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<PhotoResult> {
  signal?.throwIfAborted()
  let bytes: Buffer
  try {
    bytes = await readFile(path, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    return { ok: false, reason: 'unreadable', message: messageOf(error) }
  }
  let decoded: Decoded
  try {
    // The abort may have come after the read, when nothing listened to the signal.
    signal?.throwIfAborted()
    decoded = await unlessAborted(decode(bytes), signal)
  } catch (error) {
    signal?.throwIfAborted()
    return { ok: false, reason: 'undecodable', message: messageOf(error) }
  }
  const { grey, width, height } = decoded
  const sharpness = measureSharpness(grey)
  const exposure = measureExposure(grey)
  const hash = perceptualHash(grey)
  const faults = findFaults(sharpness, exposure)
  const verdict = faults.length === 0 ? 'keep' : 'reject'
  return { ok: true, width, height, sharpness, exposure, hash, faults, verdict }
}

type Decoded = { grey: GreyImage; width: number; height: number }

async function decode(bytes: Buffer): Promise<Decoded> {
  // 'error' instead of sharp's default 'warning': cameras write odd metadata into good images.
  const image = sharp(bytes, { failOn: 'error', autoOrient: true })
  const { autoOrient } = await image.metadata()
  const { data, info } = await image
    .resize({ width: measuredSide, height: measuredSide, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#808080' })
    .toColourspace('b-w')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  return {
    grey: { pixels: data, width: info.width, height: info.height },
    width: autoOrient.width,
    height: autoOrient.height,
  }
}

function findFaults(sharpness: number, exposure: Exposure): PhotoFault[] {
  const faults: PhotoFault[] = []
  if (sharpness < blurredBelow) faults.push('blurred')
  switch (exposure.verdict) {
    case 'under':
      faults.push('underexposed')
      break
    case 'over':
      faults.push('overexposed')
      break
    case 'good':
      break
    default:
      exposure.verdict satisfies never
  }
  return faults
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  let stopWaiting = () => {}
  const aborted = new Promise<void>((resolve) => {
    stopWaiting = resolve
    signal.addEventListener('abort', stopWaiting)
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stopWaiting)
  }
  signal.throwIfAborted()
  return work
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
