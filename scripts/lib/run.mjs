import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository, wherever a script was started from. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @typedef {object} Outcome
 * @property {number} code exit code; 1 when a signal ended the process or it never started
 * @property {string} output standard output, where it was captured
 * @property {string} errors standard error, where it was captured
 */

/**
 * Runs a tool of `node_modules/.bin`, or any program, by default in the repository's root.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ capture?: boolean, cwd?: string, env?: NodeJS.ProcessEnv }} [options] `capture` keeps the output back
 * @returns {Promise<Outcome>}
 */
export function run(command, args, { capture = false, cwd = root, env } = {}) {
  const local = join(root, 'node_modules', '.bin', command)
  const stdio = capture ? 'pipe' : 'inherit'
  const child = spawn(existsSync(local) ? local : command, args, {
    cwd,
    stdio: ['ignore', stdio, stdio],
    env: { ...process.env, ...env },
  })
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => (output += String(text)))
  child.stderr?.setEncoding('utf8').on('data', (text) => (errors += String(text)))
  // The terminal sends Ctrl+C to the child, too. This process waits, so that the child can end properly.
  const wait = () => {}
  const terminate = () => child.kill()
  process.on('SIGINT', wait).on('SIGTERM', terminate)
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 1, output, errors: errors + error.message }))
    child.on('close', (code) => {
      process.off('SIGINT', wait).off('SIGTERM', terminate)
      resolve({ code: code ?? 1, output, errors })
    })
  })
}
