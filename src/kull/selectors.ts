import { sumProcessing, toFraction } from './shoots.js'
import type { KullState } from './state.js'

/** Whether a shoot is being processed. */
export function isAnyShooting(state: KullState): boolean {
  return sumProcessing(state.activeShootProgress).shoots > 0
}

/** The number of processed images of the shoots that are being processed. */
export function totalImagesProcessing(state: KullState): number {
  return sumProcessing(state.activeShootProgress).processed
}

/** The number of all images of the shoots that are being processed. */
export function totalImagesToProcess(state: KullState): number {
  return sumProcessing(state.activeShootProgress).total
}

/** The progress of all shoots that are being processed, from 0 to 1. 0 if there is no image. */
export function overallProgress(state: KullState): number {
  const { processed, total } = sumProcessing(state.activeShootProgress)
  return total === 0 ? 0 : toFraction(processed / total)
}
