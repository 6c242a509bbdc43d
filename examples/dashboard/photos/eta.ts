/** What an estimate is measured on: milliseconds that never run backwards, from any origin. */
export type MonotonicClock = { now(): number }

/** Estimates when a job of `totalCount` equal parts ends. */
export type EtaEstimate = {
  /** Notes that one more part is done, and gives the whole seconds left, rounded up; 0 when all are done. */
  partDone(): number
}

/** How many of the latest parts the moving average looks at. */
const averagedParts = 8

/**
 * Starts an estimate from now: the parts left times the mean time between the latest eight parts
 * done. Parts that are worked on side by side are thereby counted at the pace they come out.
 */
export function createEtaEstimate(totalCount: number, clock: MonotonicClock): EtaEstimate {
  const times = [clock.now()]
  let doneCount = 0
  return {
    partDone() {
      doneCount++
      const now = clock.now()
      times.push(now)
      if (times.length > averagedParts + 1) times.shift()
      const meanMs = (now - (times[0] ?? now)) / (times.length - 1)
      return Math.ceil((Math.max(0, totalCount - doneCount) * meanMs) / 1000)
    },
  }
}
