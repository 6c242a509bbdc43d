/** The clock of an estimate: ms that never run backwards, from any origin. */
export type MonotonicClock = { now(): number }

/** Estimates when a job of `totalCount` equal parts ends. */
export type EtaEstimate = {
  /**
   * Records one more part as done. Returns the remaining time in whole seconds, rounded up; 0 when
   * all are done.
   */
  partDone(): number
}

/** How many of the latest parts the moving average includes. */
const averagedParts = 8

/**
 * Starts an estimate: the number of remaining parts times the mean time between the latest eight
 * completed parts. That is correct for parts that are processed in parallel, too.
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
