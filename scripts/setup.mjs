// Runs before every command, so that each works on a fresh clone. It imports only modules of Node.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

if (!isInstalled()) {
  console.log('Installing dependencies (npm ci)…')
  execFileSync('npm', ['ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
}

/**
 * Whether the installed packages are those of package-lock.json. File times do not tell: a checkout
 * changes the time of the lockfile without changing its content.
 */
function isInstalled() {
  const wanted = packagesOf('package-lock.json')
  const installed = packagesOf('node_modules/.package-lock.json')
  if (!wanted || !installed) return false
  return Object.entries(wanted).every(([path, wants]) => {
    const elsewhere = !path.startsWith('node_modules/') || wants.link === true
    return elsewhere || wants.optional === true || installed[path]?.version === wants.version
  })
}

/**
 * @param {string} lockfile
 * @returns {Record<string, { version: string, optional?: boolean, link?: boolean }> | undefined}
 */
function packagesOf(lockfile) {
  try {
    return JSON.parse(readFileSync(join(root, lockfile), 'utf8')).packages
  } catch {
    return undefined
  }
}
