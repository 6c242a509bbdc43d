import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

/**
 * Gives the path of another version of Node. npm fetches it at the first use: 120 MB, which
 * nobody who only installs the packages should have to wait for.
 */
export async function findNode(version: 20 | 22 | 24): Promise<string> {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(root, `.cache/node-${version}`)
  const path = join(folder, 'node_modules', name, 'bin/node')
  if (existsSync(path)) return path
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  await promisify(execFile)(
    npm,
    ['install', '--no-save', '--loglevel=error', `${name}@${version}`],
    {
      cwd: folder,
    },
  )
  return path
}
