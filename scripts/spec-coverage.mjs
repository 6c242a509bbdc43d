// Checks that a test cites every rule of docs/spec.md and docs/dashboard.md, and that no test cites
// a rule that is in neither. Vitest lists the names, since many tests are made from tables; it does
// not list skipped tests.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findChromium } from './lib/chromium.mjs'
import { compareRules } from './lib/rules.mjs'
import { root, run } from './lib/run.mjs'

// The second has the rules of the example.
const pages = ['docs/spec.md', 'docs/dashboard.md']
const markdown = pages.map((page) => readFileSync(join(root, page), 'utf8')).join('\n')

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
report(`Tests cite rules that are neither in ${pages.join(' nor in ')}`, unknown)
process.exit(twice.length + untested.length + unknown.length > 0 ? 1 : 0)

/**
 * @param {string} title
 * @param {readonly string[]} rules
 */
function report(title, rules) {
  if (rules.length > 0) console.log(`${title} (${rules.length}): ${rules.join(', ')}`)
}
