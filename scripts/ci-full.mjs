// The checks that take longer than .ci/run may: `npm run ci:full`, or some by name, for example
// `npm run ci:full -- chaos bench`. A change is called done only after they have passed.
import { performance } from 'node:perf_hooks'
import { run } from './lib/run.mjs'

const steps = ['coverage', 'chaos', 'mutation', 'bench']

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !steps.includes(name))
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. Steps: ${steps.join(', ')}`)
  process.exit(1)
}

const failed = []
for (const name of asked.length > 0 ? asked : steps) {
  const begin = performance.now()
  const { code } = await run('npm', ['run', name])
  const minutes = ((performance.now() - begin) / 60_000).toFixed(1)
  console.log(`${code === 0 ? 'pass' : 'FAIL'}  ${name} (${minutes} minutes)`)
  if (code !== 0) failed.push(name)
}
if (failed.length > 0) console.error(`Failed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0
