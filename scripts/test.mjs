// Runs every test in one Vitest run: `npm test`, or some by the name of their file:
// `npm test -- connection`.
import { existsSync } from 'node:fs'
import { findChromium } from './lib/chromium.mjs'
import { run } from './lib/run.mjs'

const ci = process.env['CI'] === 'true'

// Programs that a Vitest project needs and that npm does not install.
const chromium = { name: 'Chromium', debian: 'chromium', find: findChromium }
const needs = [
  { project: 'browser', ...chromium },
  { project: 'e2e', ...chromium },
]

const build = await run(process.execPath, ['scripts/build.mjs'])
if (build.code !== 0) process.exit(build.code)

const without = []
for (const need of needs) {
  if (need.find() ?? (await install(need))) continue
  const how = `install it (Debian: apt-get install ${need.debian}) or set CHROME_PATH`
  if (ci) {
    console.error(`${need.name} is missing, and CI skips nothing: ${how}.`)
    process.exit(1)
  }
  console.log(`${need.name} is missing, so the ${need.project} tests are left out: ${how}.`)
  without.push(`--project=!${need.project}`)
}

const { code } = await run('vitest', [
  'run',
  '--reporter=default',
  ...without,
  ...process.argv.slice(2),
])
process.exit(code)

/**
 * Installs the package of Debian, where we have the rights to; returns whether the program is there now.
 * @param {(typeof needs)[number]} need
 */
async function install({ name, debian, find }) {
  const mayInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version')
  if (!mayInstall || process.env['CHROME_PATH'] !== undefined) return undefined
  console.log(`Installing ${name} (apt-get install ${debian})…`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { capture: true, env })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', debian], {
    capture: true,
    env,
  })
  return find()
}
