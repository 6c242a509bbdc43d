import { basename } from 'node:path'
import { analyzePhoto, type PhotoAnalysis, type PhotoFault, type PhotoResult } from './analyze.js'
import { createEtaEstimate, type MonotonicClock } from './eta.js'
import { findNearDuplicates } from './near-duplicates.js'
import type { Shoot } from './shoots.js'

/** A photo's absolute path and its measurements. */
export type CulledPhoto = { path: string; analysis: PhotoAnalysis }

/** Why a photo is not kept; `of` is the path of the best photo of the same scene. */
export type RejectReason = { code: PhotoFault } | { code: 'nearDuplicate'; of: string }

/** Every photo of a shoot, each in exactly one of the three lists, in the shoot's order. */
export type CullResult = {
  keep: readonly CulledPhoto[]
  reject: readonly (CulledPhoto & { reasons: readonly RejectReason[] })[]
  failed: readonly ({ path: string } & Omit<Extract<PhotoResult, { ok: false }>, 'ok'>)[]
}

/**
 * The progress of a shoot, after each photo.
 *
 * - `processedCount`: how many photos are done, failed ones too: 1, 2, … `totalCount`.
 * - `currentImage`: the file name of the latest photo.
 * - `etaSeconds`: the remaining time in whole seconds, rounded up; 0 after the last photo.
 */
export type CullProgress = {
  processedCount: number
  totalCount: number
  currentImage: string
  etaSeconds: number
}

/**
 * Options of a cull.
 *
 * - `onProgress`: called after each photo. An error that it throws ends the cull, which rejects
 *   with it.
 * - `concurrency`: how many photos are processed at the same time, a whole number from 1; default
 *   2.
 * - `clock`: for the remaining time; default `performance`.
 * - `analyze`: default `analyzePhoto`.
 */
export type CullOptions = {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: CullProgress) => void) | undefined
  concurrency?: number | undefined
  clock?: MonotonicClock | undefined
  analyze?: typeof analyzePhoto | undefined
}

/**
 * Analyses all photos of a shoot and decides which to keep: those without faults, and the sharpest
 * of near-duplicates. A photo that cannot be read or decoded is in `failed` and does not stop the
 * others.
 *
 * Rejects with the signal's reason when aborted, at once and without further progress. Rejects with
 * a RangeError for an invalid concurrency.
 */
export async function cullShoot(shoot: Shoot, options: CullOptions = {}): Promise<CullResult> {
  const { onProgress, concurrency = 2, clock = performance, analyze = analyzePhoto } = options
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new RangeError(`concurrency must be a whole number from 1, not ${concurrency}`)
  }
  options.signal?.throwIfAborted()

  // An error in one of the parallel loops must end the others too.
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const totalCount = shoot.photos.length
  const eta = createEtaEstimate(totalCount, clock)
  const results = new Map<string, PhotoResult>()
  const queue = shoot.photos.values()

  const work = async () => {
    for (const path of queue) {
      const result = await analyze(path, { signal })
      signal.throwIfAborted()
      results.set(path, result)
      onProgress?.({
        processedCount: results.size,
        totalCount,
        currentImage: basename(path),
        etaSeconds: eta.partDone(),
      })
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, totalCount) }, work))
  } catch (error) {
    stop.abort(error)
    throw error
  }
  return decide(shoot.photos, results)
}

function decide(paths: readonly string[], results: ReadonlyMap<string, PhotoResult>): CullResult {
  const photos: CulledPhoto[] = []
  const failed: CullResult['failed'][number][] = []
  for (const path of paths) {
    const result = results.get(path)
    if (!result) continue
    if (result.ok) {
      const { ok: _, ...analysis } = result
      photos.push({ path, analysis })
    } else {
      failed.push({ path, reason: result.reason, message: result.message })
    }
  }

  const duplicates = findNearDuplicates(photos)
  const keep: CulledPhoto[] = []
  const reject: CullResult['reject'][number][] = []
  for (const photo of photos) {
    const reasons: RejectReason[] = photo.analysis.faults.map((code) => ({ code }))
    const better = duplicates.get(photo)
    if (better) reasons.push({ code: 'nearDuplicate', of: better.path })
    if (reasons.length === 0) keep.push(photo)
    else reject.push({ ...photo, reasons })
  }
  return { keep, reject, failed }
}
