// Changes the source in small ways and checks that a test fails for each: `npm run mutation`, or some
// parts by name: `npm run mutation -- state machines/session`. CONTRIBUTING.md says how to use it.
import { Stryker } from '@stryker-mutator/core'
import { parts, partsNamed } from './lib/mutation-parts.mjs'

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => partsNamed(name).length === 0)
if (unknown.length > 0) {
  console.error(`No such part: ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}`)
  process.exit(1)
}

const chosen = asked.length > 0 ? asked.flatMap(partsNamed) : Object.keys(parts)
const failed = []
for (const name of chosen) if (!(await reachesScore(name))) failed.push(name)
if (failed.length > 0) console.error(`\nToo many mutants survived in: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0

/** @param {string} name */
async function reachesScore(name) {
  console.log(`\n${name}`)
  // vitest.mutation.config.ts reads it, in the processes that Stryker starts.
  process.env['MUTATION_PART'] = name
  // Stryker sets the exit code where the score is below the threshold.
  process.exitCode = 0
  const file = name.replace('/', '-')
  const stryker = new Stryker({
    mutate: parts[name]?.mutate ?? [],
    incrementalFile: `.cache/mutation-${file}.json`,
    htmlReporter: { fileName: `reports/mutation-${file}.html` },
  })
  await stryker.runMutationTest()
  return process.exitCode === 0
}
