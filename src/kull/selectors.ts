import { sumProcessing, toFraction } from './shoots.js'
import type { KullState } from './state.js'

/** Whether some shoot is being processed. */
export function isAnyShooting(state: KullState): boolean {
  return sumProcessing(state.activeShootProgress).shoots > 0
}

/** How many images of the shoots in process are done. */
export function totalImagesProcessing(state: KullState): number {
  return sumProcessing(state.activeShootProgress).processed
}

/** How many images the shoots in process have. */
export function totalImagesToProcess(state: KullState): number {
  return sumProcessing(state.activeShootProgress).total
}

/** How far the shoots in process have come together, from 0 to 1; 0 when there is nothing to do. */
export function overallProgress(state: KullState): number {
  const { processed, total } = sumProcessing(state.activeShootProgress)
  return total === 0 ? 0 : toFraction(processed / total)
}
