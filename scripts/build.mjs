// Compiles src/ to dist/, and removes the output of sources that were deleted or renamed.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './lib/run.mjs'

const dist = join(root, 'dist')
if (existsSync(dist)) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const source = file.replace(dist, join(root, 'src')).replace(/(\.d)?\.(js|ts)(\.map)?$/, '.ts')
    if (entry.isFile() && source.endsWith('.ts') && !existsSync(source)) rmSync(file)
  }
}
const { code } = await run('tsc', ['-p', 'tsconfig.build.json'])
process.exit(code)
