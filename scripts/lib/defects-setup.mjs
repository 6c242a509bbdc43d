// Set-up of the runs with a planted mistake: each run tries the same histories, and does not search for
// the shortest one that fails.
import * as fc from 'fast-check'

fc.configureGlobal({ seed: 7, numRuns: 150, endOnFailure: true })
