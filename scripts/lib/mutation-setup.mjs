// Set-up of the tests that Stryker runs. Stryker notes which test ran which mutant, and later runs
// only those tests. A statechart is made by the first test of a file that needs one, and used by
// all others, so that the first one alone would be noted: a mutant that one test of a file ran
// counts as run by every test of the file.
//
// Properties try the same cases in each run, so that a score can be repeated. They end at the first
// case that fails: the search for a shorter one takes seconds, which Stryker would count as a timeout.
import * as fc from 'fast-check'
import { afterAll } from 'vitest'

fc.configureGlobal({ seed: 7, endOnFailure: true })

/**
 * What Stryker notes: how often each mutant ran, by test.
 * @typedef {{ mutantCoverage?: { perTest: Record<string, Record<string, number>> } }} StrykerState
 */

// Stryker's own hook was added before this one, and therefore runs after it.
afterAll(() => {
  const state = /** @type {{ __stryker__?: StrykerState }} */ (globalThis).__stryker__
  const perTest = state?.mutantCoverage?.perTest ?? {}
  const ofFile = Object.assign({}, ...Object.values(perTest))
  for (const test of Object.keys(perTest)) perTest[test] = ofFile
})
