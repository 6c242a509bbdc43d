import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const cache = join(resolve(import.meta.dirname, '../..'), '.cache')
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

/**
 * Gives the path of another version of Node. npm fetches it at the first use: 120 MB, which
 * nobody who only installs the packages should have to wait for.
 */
export async function findNode(version: 20 | 22 | 24): Promise<string> {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(cache, `node-${version}`)
  const path = join(folder, 'node_modules', name, 'bin/node')
  if (!existsSync(path)) await fetchNode(`${name}@${version}`, folder)
  return path
}

// Into a folder of its own, since other test files may ask for the same version at the same time.
async function fetchNode(spec: string, folder: string): Promise<void> {
  mkdirSync(cache, { recursive: true })
  const draft = mkdtempSync(`${folder}-`)
  writeFileSync(join(draft, 'package.json'), '{ "private": true }')
  const options = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', spec]
  await promisify(execFile)(npm, options, { cwd: draft })
  if (existsSync(folder)) rmSync(draft, { recursive: true })
  else renameSync(draft, folder)
}
