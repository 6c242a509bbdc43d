// Plants known mistakes in the source, in memory, one per run, and checks that the properties of
// delivery find each: `npm run defects`, or some of them by name: `npm run defects -- window`.
import { join } from 'node:path'
import { createVitest } from 'vitest/node'
import { defects } from './lib/defects.mjs'
import { sourceAliases } from './lib/entries.mjs'
import { plantDefect } from './lib/plant-defect.mjs'
import { root } from './lib/run.mjs'
import { readSources } from './lib/source-files.mjs'

const asked = process.argv.slice(2)
const chosen = defects.filter(({ name }) => asked.every((word) => name.includes(word)))
if (chosen.length === 0) {
  console.error(`No defect has a name with: ${asked.join(', ')}`)
  process.exit(1)
}
const planted = plantAll()

const vitest = await createVitest(
  'test',
  { config: false, root, watch: false, reporters: [{}], maxWorkers: 2 },
  { test: { projects: planted.map(toProject) } },
)
await vitest.start()
const missed = []
for (const { name } of planted) {
  const found = foundIn(name)
  console.log(`${found === undefined ? 'MISSED' : 'found '}  ${name}`)
  if (found === undefined) missed.push(name)
}
await vitest.close()
console.log(
  missed.length > 0
    ? `\n${missed.length} of ${planted.length} defects got past the properties.`
    : `\nAll ${planted.length} defects were found.`,
)
process.exit(missed.length > 0 ? 1 : 0)

/** Plants each defect in a copy of the source; ends the process where one finds no place. */
function plantAll() {
  const sources = readSources('src')
  /** @type {string[]} */
  const errors = []
  const files = []
  for (const defect of chosen) {
    try {
      files.push({ name: defect.name, ...plantDefect(sources, defect) })
    } catch (error) {
      errors.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (errors.length === 0) return files
  for (const error of errors) console.error(`${error}\n`)
  console.error('Every defect needs one place. Bring scripts/lib/defects.mjs up to the source.')
  process.exit(1)
}

/** @param {ReturnType<typeof plantAll>[number]} planted */
function toProject({ name, file, text }) {
  return {
    root,
    resolve: { alias: sourceAliases() },
    plugins: [
      {
        name: 'defect',
        enforce: /** @type {const} */ ('pre'),
        /** @param {string} _code @param {string} id */
        transform: (_code, id) => (id === join(root, file) ? text : undefined),
      },
    ],
    test: {
      name,
      include: ['test/property/delivery.test.ts'],
      setupFiles: [join(root, 'scripts/lib/defects-setup.mjs')],
      testTimeout: 60_000,
    },
  }
}

/**
 * The failed property; undefined where all held, or something else went wrong.
 * @param {string} name
 */
function foundIn(name) {
  for (const module of vitest.state.getTestModules()) {
    if (module.project.name !== name) continue
    for (const error of module.errors()) console.error(error.message)
    for (const test of module.children.allTests('failed')) {
      const errors = test.result().errors ?? []
      if (errors.some(({ message }) => message.startsWith('Property failed'))) return test.name
    }
  }
  return undefined
}
