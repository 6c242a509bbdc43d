// Changes the source in small ways and checks that a test fails for each: `npm run mutation --
// state`, for the parts below by name, or for all of them. docs: CONTRIBUTING.md, "Mutation tests".
import { Stryker } from '@stryker-mutator/core'
import { parts } from './lib/mutation-parts.mjs'

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(parts, name))
if (unknown.length > 0) {
  console.error(`No such part: ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}`)
  process.exit(1)
}

const failed = []
for (const [name, { mutate }] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  console.log(`\n${name}`)
  // vitest.mutation.config.ts reads it, in the processes that Stryker starts.
  process.env['MUTATION_PART'] = name
  process.exitCode = 0
  const stryker = new Stryker({
    mutate,
    incrementalFile: `.cache/mutation-${name}.json`,
    htmlReporter: { fileName: `reports/mutation-${name}.html` },
  })
  await stryker.runMutationTest()
  // Stryker sets the exit code where the score is below the threshold.
  if (process.exitCode !== 0) failed.push(name)
}
if (failed.length > 0) console.error(`\nToo many mutants survived in: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0
