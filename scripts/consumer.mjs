// Installs the packed package in a folder with nothing but its dependencies, as a user would. There it
// compiles an import of every entry, with its declarations checked, and loads every entry with `require`.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { entries } from './lib/entries.mjs'
import { root, run } from './lib/run.mjs'

const folder = mkdtempSync(join(tmpdir(), 'statewire-consumer-'))
const installed = join(folder, 'node_modules/statewire')
const failures = []

try {
  mkdirSync(installed, { recursive: true })
  const pack = await run('npm', ['pack', '--silent', '--pack-destination', folder], {
    capture: true,
  })
  await run('tar', ['-xzf', join(folder, pack.output.trim()), '-C', installed, '--strip=1'])

  const { dependencies, peerDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) link(name)
  // Whoever writes for a server has the types of Node.
  link('@types/node')
  link('undici-types')

  await compile('browser')
  await compile('server')
  for (const { name } of entries()) {
    const { code, errors } = await run(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '-e', `require('${name}')`],
      { capture: true, cwd: folder },
    )
    if (code !== 0) failures.push(`require('${name}')\n${errors}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

for (const failure of failures) console.error(failure)
process.exit(failures.length > 0 ? 1 : 0)

/** @param {string} name */
function link(name) {
  const target = join(folder, 'node_modules', name)
  mkdirSync(dirname(target), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), target)
}

/** @param {'browser' | 'server'} side */
async function compile(side) {
  const names = entries()
    .filter(({ isForServers }) => isForServers === (side === 'server'))
    .map(({ name }) => name)
  const config = join(folder, 'tsconfig.json')
  writeFileSync(
    join(folder, 'index.ts'),
    names.map((name, index) => `export * as entry${index} from '${name}'\n`).join(''),
  )
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        target: 'es2022',
        lib: ['es2022', 'esnext.disposable', ...(side === 'browser' ? ['dom'] : [])],
        types: side === 'browser' ? [] : ['node'],
        module: 'nodenext',
      },
      files: ['index.ts'],
    }),
  )
  const { output } = await run('tsc', ['-p', config, '--pretty', 'false'], { capture: true })
  // Faults in the declarations of other packages are not ours.
  const ours = output.split('\n').filter((line) => /(^|\/)(statewire\/|index\.ts\()/.test(line))
  if (ours.length > 0) failures.push(`For the ${side}:\n${ours.join('\n')}`)
}
