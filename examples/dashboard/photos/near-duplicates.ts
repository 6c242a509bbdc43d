import type { PhotoAnalysis } from './analyze.js'
import { hammingDistance } from './hash.js'

/** Photos show the same scene if at most this many of the 64 bits of their hashes differ. */
export const nearDuplicateDistance = 12

/**
 * Finds, for each photo of a scene, the best photo of that scene: one without faults before one
 * with faults, then the sharper one, then the earlier one.
 *
 * Photos are compared with the best of each scene only, not with each other: otherwise a slow pan
 * would count as one scene. The map goes from a photo to the best of its scene.
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
