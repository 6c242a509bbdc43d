// Compiles every TypeScript block of README.md and docs/ against the built package, by the names
// that its users import. scripts/lib/snippets.mjs documents the tags of a block.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './lib/run.mjs'
import { locate, snippetsOf } from './lib/snippets.mjs'

const folder = join(root, '.cache/docs-examples')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })

/** @type {Map<string, { file: string, origins: number[] }>} */
const modules = new Map()
for (const file of markdownFiles()) {
  for (const { lines, origins } of snippetsOf(readFileSync(join(root, file), 'utf8'))) {
    const name = `${file.replace(/\W+/g, '-')}-${origins.at(-1) ?? 0}.ts`
    modules.set(name, { file, origins })
    writeFileSync(join(folder, name), lines.join('\n'))
  }
}

writeFileSync(
  join(folder, 'tsconfig.json'),
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      lib: ['es2022', 'esnext.disposable', 'dom', 'dom.iterable'],
      noEmit: true,
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: ['*.ts'],
  }),
)

if (modules.size > 0) {
  const { code, output } = await run('tsc', ['-p', folder], { capture: true })
  for (const line of output.trimEnd().split('\n')) console.log(locate(line, modules))
  if (code !== 0) process.exit(code)
}
console.log(`${modules.size} examples compile`)

function markdownFiles() {
  const docs = existsSync(join(root, 'docs'))
    ? readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    : []
  return ['README.md', ...docs.map((file) => `docs/${file}`)].filter(
    (file) =>
      file.endsWith('.md') &&
      !/^docs\/(api|\.vitepress)\//.test(file) &&
      existsSync(join(root, file)),
  )
}
