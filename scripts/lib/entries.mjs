import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

/**
 * @typedef {object} Entry
 * @property {string} name what users import: `statewire/kull`
 * @property {string} path `kull`, and `index` for the main entry
 * @property {string} file `./dist/kull/index.js`
 * @property {string} types `./dist/kull/index.d.ts`
 * @property {string} source `./src/kull/index.ts`
 * @property {boolean} isForServers whether it may use modules of Node
 */

/**
 * The entries of the package, from `exports` in package.json.
 * @returns {Entry[]}
 */
export function entries() {
  /** @type {{ name: string, exports: Record<string, string | { types: string, default: string }> }} */
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return []
    const path = entry === '.' ? 'index' : entry.slice(2)
    return {
      name: name + entry.slice(1),
      path,
      file: target.default,
      types: target.types,
      source: target.default.replace('/dist/', '/src/').replace(/\.js$/, '.ts'),
      isForServers: /\b(server|node|sqlite)\b/.test(path),
    }
  })
}

/** Aliases that resolve the names of the package (`statewire/kull`) to its source, for tests that use them. */
export function sourceAliases() {
  return entries().map(({ name, source }) => ({
    find: new RegExp(`^${name}$`),
    replacement: join(root, source),
  }))
}
