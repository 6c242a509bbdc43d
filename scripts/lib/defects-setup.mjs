// Set-up of the runs in which a mistake is planted: the same histories each time, and no search
// for the shortest of them.
import * as fc from 'fast-check'

fc.configureGlobal({ seed: 7, numRuns: 150, endOnFailure: true })
