import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

/** Options that headless Chromium needs in a container, and those that stop its own network requests. */
export const chromiumArgs = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/**
 * The path of an installed Chromium or Chrome: `CHROME_PATH` first, then the usual names on the PATH.
 * @returns {string | undefined}
 */
export function findChromium() {
  const asked = process.env['CHROME_PATH']
  if (asked) return isExecutable(asked) ? asked : undefined
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders
    .concat('/usr/bin', '/Applications/Google Chrome.app/Contents/MacOS')
    .flatMap((folder) => [...names, 'Google Chrome'].map((name) => join(folder, name)))
    .find(isExecutable)
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
