// Checks everything that needs no test run: `npm run check`, or some of its steps by name:
// `npm run check -- lint types`.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { exceptions } from './lib/exceptions.mjs'
import { root, run } from './lib/run.mjs'

const node = process.execPath

/** The TypeScript projects other than the package, which the build compiles. */
const projects = ['.', 'test/types', 'test/browser', 'test/e2e', 'examples/dashboard'].filter(
  (folder) => existsSync(join(root, folder, 'tsconfig.json')),
)

/**
 * Name and commands of each step. `build` comes first, since other steps read dist/.
 * @type {[name: string, ...commands: [string, ...string[]][]][]}
 */
const steps = [
  ['build', [node, 'scripts/build.mjs']],
  ['format', ['biome', 'format', '.']],
  ['lint', ['eslint', '.', '--max-warnings=0']],
  ['types', ...projects.map(typecheck)],
  ['layers', ['depcruise', 'src', 'examples', '--config', '.dependency-cruiser.mjs']],
  ['unused', ['knip']],
  ['limits', [node, 'scripts/limits.mjs']],
  ['duplicates', ['jscpd', ...duplicates()]],
  ['api', [node, 'scripts/api.mjs', '--check']],
  [
    'package',
    ['publint', '--strict'],
    ['attw', '--pack', '.', '--profile', 'esm-only'],
    [node, 'scripts/consumer.mjs'],
  ],
  ['size', ['size-limit'], [node, 'scripts/browser-bundle.mjs']],
  ['examples', [node, 'scripts/docs-examples.mjs']],
  ['docs', ['typedoc'], ['vitepress', 'build', 'docs']],
  ['rules', [node, 'scripts/spec-coverage.mjs']],
  ['names', [node, 'scripts/architecture.mjs']],
  ['diagrams', ['tsx', 'scripts/diagrams.ts', '--check']],
]

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !steps.some(([known]) => known === name))
if (unknown.length > 0) {
  console.error(`No such step: ${unknown.join(', ')}. Steps: ${steps.map(([n]) => n).join(', ')}`)
  process.exit(1)
}

const started = performance.now()
const failed = []
for (const [name, ...commands] of steps) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const begin = performance.now()
  const report = await firstFailure(commands)
  const verdict = report === undefined ? 'pass' : 'FAIL'
  console.log(`${verdict}  ${name.padEnd(10)}${seconds(begin).padStart(7)}`)
  if (report === undefined) continue
  console.log(report.replace(/^/gm, '      '))
  failed.push(name)
}
console.log(
  failed.length > 0
    ? `\nFailed: ${failed.join(', ')} (${seconds(started)})`
    : `\nAll checks passed (${seconds(started)})`,
)
process.exit(failed.length > 0 ? 1 : 0)

/**
 * Runs commands until one fails, and returns what that one printed; undefined where all succeed.
 * @param {[string, ...string[]][]} commands
 */
async function firstFailure(commands) {
  for (const [command, ...args] of commands) {
    const { code, output, errors } = await run(command, args, { capture: true })
    if (code !== 0) return `${[command, ...args].join(' ')}\n${output}${errors}`.trimEnd()
  }
  return undefined
}

/**
 * The arguments of jscpd: it fails where 60 tokens, in at least 5 lines, stand in src/ and test/ twice.
 * @returns {string[]}
 */
function duplicates() {
  const ignored = exceptions.map(({ path }) => `**/${path}${path.endsWith('/') ? '**' : '*'}`)
  return [
    ...['src', 'test', '--format', 'typescript', '--min-tokens', '60', '--min-lines', '5'],
    ...['--skip-comments', '--ignore', ignored.join(','), '--exit-code', '1', '--no-tips'],
    '--no-colors',
  ]
}

/**
 * @param {string} project
 * @returns {[string, ...string[]]}
 */
function typecheck(project) {
  return ['tsc', '-p', project, '--noEmit']
}

/** @param {number} since */
function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
