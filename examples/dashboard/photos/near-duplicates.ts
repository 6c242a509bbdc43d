import type { PhotoAnalysis } from './analyze.js'
import { hammingDistance } from './hash.js'

/** Photos whose hashes differ in at most this many of 64 bits show the same scene. */
export const nearDuplicateDistance = 12

/**
 * Finds, for each photo that shows what a better one shows, that better one: a photo without faults
 * goes before one with, then the sharper one, then the earlier one.
 *
 * Photos are compared with the best of each scene only, never in chains, so that a slow pan is not
 * taken for one scene. The map goes from the photo to the best of its scene.
 */
export function findNearDuplicates<Photo extends { analysis: PhotoAnalysis }>(
  photos: readonly Photo[],
): Map<Photo, Photo> {
  const best: Photo[] = []
  const duplicates = new Map<Photo, Photo>()
  for (const photo of [...photos].sort(byQuality)) {
    const same = best.find(
      ({ analysis }) =>
        hammingDistance(analysis.hash, photo.analysis.hash) <= nearDuplicateDistance,
    )
    if (same) duplicates.set(photo, same)
    else best.push(photo)
  }
  return duplicates
}

function byQuality(a: { analysis: PhotoAnalysis }, b: { analysis: PhotoAnalysis }): number {
  const rank = ({ verdict }: PhotoAnalysis) => (verdict === 'keep' ? 0 : 1)
  return rank(a.analysis) - rank(b.analysis) || b.analysis.sharpness - a.analysis.sharpness
}
