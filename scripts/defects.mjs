// Plants known mistakes in the source, one at a time and in memory, and lets the properties of
// delivery find each: `npm run defects`, or some of them by name: `npm run defects -- window`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createVitest } from 'vitest/node'
import { defects } from './lib/defects.mjs'
import { sourceAliases } from './lib/entries.mjs'
import { root } from './lib/run.mjs'

const asked = process.argv.slice(2)
const planted = defects.filter(({ name }) => asked.every((word) => name.includes(word)))
const misfits = planted.filter(({ file, find }) => occurrences(file, find) !== 1)
if (planted.length === 0 || misfits.length > 0) {
  for (const { name, file, find } of misfits) {
    console.error(
      `"${name}": its text stands ${occurrences(file, find)} times in ${file}:\n${find}`,
    )
  }
  console.error('Every defect must fit, once. Bring scripts/lib/defects.mjs up to the source.')
  process.exit(1)
}

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

/** @param {import('./lib/defects.mjs').Defect} defect */
function toProject({ name, file, find, replace }) {
  return {
    root,
    resolve: { alias: sourceAliases() },
    plugins: [
      {
        name: 'defect',
        enforce: /** @type {const} */ ('pre'),
        /** @param {string} code @param {string} id */
        transform: (code, id) =>
          id === join(root, file) ? code.replace(find, () => replace) : undefined,
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

/** @param {string} file @param {string} text */
function occurrences(file, text) {
  return readFileSync(join(root, file), 'utf8').split(text).length - 1
}
