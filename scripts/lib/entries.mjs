import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

/**
 * What the package offers, as package.json says it: `{ name: 'statewire/kull', path: 'kull', file:
 * 'dist/kull/index.js', types: 'dist/kull/index.d.ts', isForServers: false }`; the main entry's path is
 * `index`.
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
      isForServers: /\b(server|node)\b/.test(path),
    }
  })
}

/** Lets tests that name the package (`statewire/kull`) run against its source, as the others do. */
export function sourceAliases() {
  return entries().map(({ name, file }) => ({
    find: new RegExp(`^${name}$`),
    replacement: join(root, file.replace('dist/', 'src/').replace(/\.js$/, '.ts')),
  }))
}
