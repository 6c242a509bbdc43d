// Every rule of docs/spec.md and of the demo's docs/dashboard.md has a test that cites it, and no test
// cites a rule that is in neither.
// Asks Vitest for the names, since many tests are made from tables; it lists no skipped test.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findChromium } from './lib/chromium.mjs'
import { compareRules } from './lib/rules.mjs'
import { root, run } from './lib/run.mjs'

const markdown = ['docs/spec.md', 'docs/dashboard.md']
  .map((page) => readFileSync(join(root, page), 'utf8'))
  .join('\n')

const without = findChromium() ? [] : ['--project=!browser', '--project=!e2e']
const { code, output, errors } = await run('vitest', ['list', '--json', ...without], {
  capture: true,
})
if (code !== 0) {
  console.error(output + errors)
  process.exit(1)
}
/** @type {{ name: string }[]} */
const tests = JSON.parse(output.slice(output.search(/^\[\s*(\{|\])/m)))

const { defined, twice, untested, unknown } = compareRules(
  markdown,
  tests.map(({ name }) => name),
)
console.log(`${defined.length} rules, ${defined.length - untested.length} of them with a test`)
report('Rules defined twice', twice)
report('Rules without a test', untested)
report('Tests cite rules that are in neither page', unknown)
process.exit(twice.length + untested.length + unknown.length > 0 ? 1 : 0)

/**
 * @param {string} title
 * @param {readonly string[]} rules
 */
function report(title, rules) {
  if (rules.length > 0) console.log(`${title} (${rules.length}): ${rules.join(', ')}`)
}
