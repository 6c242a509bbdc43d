/**
 * The photo side of the demo's worker: it finds shoots, decodes and measures photos, and decides
 * which ones to keep. It does not use the network; the caller sends the reports.
 *
 * `findShoots(folder)` gives the shoots of a user's folder, or a `message` to print and exit with.
 * Run `cullShoot(shoot, { signal, onProgress })` for one shoot after the other: `onProgress` has
 * the counts, current image and ETA of a `SHOOT_PROGRESS` with status `processing`, once for each
 * photo; send `queued` before, and `completed` when it resolves to `keep`, `reject` (with reasons)
 * and `failed`. A broken photo is an entry in `failed` and counts as processed; the promise rejects
 * only when aborted or when `onProgress` throws. A shoot's `id` is unique within its folder alone,
 * so put a prefix of your own in front of it if one user has several folders.
 *
 * Without a folder, `generatePictures({ folder, seed, count })` fills an empty one first: 24
 * pictures are three shoots with every kind of trouble and take about a second.
 *
 * @example
 * await generatePictures({ folder, seed: 1, count: 24, signal })
 * const found = await findShoots(folder)
 * if (!found.ok) throw new Error(found.message)
 * for (const shoot of found.shoots) {
 *   const result = await cullShoot(shoot, {
 *     signal,
 *     onProgress: ({ processedCount, totalCount, currentImage, etaSeconds }) => {
 *       report({ shootId: shoot.id, processedCount, totalCount, currentImage, eta: etaSeconds })
 *     },
 *   })
 *   console.log(shoot.name, result.keep.length, result.reject.length, result.failed.length)
 * }
 *
 * @module
 */
export { analyzePhoto, type PhotoAnalysis, type PhotoFault, type PhotoResult } from './analyze.js'
export {
  type CulledPhoto,
  type CullOptions,
  type CullProgress,
  type CullResult,
  cullShoot,
  type RejectReason,
} from './cull.js'
export type { MonotonicClock } from './eta.js'
export type { Exposure } from './measures.js'
export {
  type GeneratedPicture,
  type GenerateOptions,
  generatePictures,
  type PictureKind,
} from './pictures.js'
export { type FindShootsResult, findShoots, type Shoot } from './shoots.js'
