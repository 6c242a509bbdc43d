// Checks the length of functions and files, and that no two files of src/ declare the same name.
import { exceptions, isException } from './lib/exceptions.mjs'
import { findTooLong } from './lib/limits.mjs'
import { findSharedNames } from './lib/names.mjs'
import { readSources } from './lib/source-files.mjs'

const folders = ['src', 'scripts', 'bench']
const src = readSources('src')
const checked = new Map([...src].filter(([file]) => !isException(file)))

const tooLong = folders.flatMap((folder) =>
  [...(folder === 'src' ? checked : readSources(folder))].flatMap(([file, text]) =>
    findTooLong(file, text),
  ),
)
report('Too long', tooLong)

const shared = findSharedNames(checked)
report('Names with more than one declaration', shared)

const unneeded = exceptions.filter(
  ({ path }) => ![...src].some(([file, text]) => file.startsWith(path) && isFaulty(file, text)),
)
report(
  'Exceptions that are not needed any more (scripts/lib/exceptions.mjs)',
  unneeded.map(({ path }) => path),
)
process.exitCode = tooLong.length + shared.length + unneeded.length > 0 ? 1 : 0

/** @param {string} file @param {string} text */
function isFaulty(file, text) {
  const withIt = findSharedNames(new Map([...checked, [file, text]]))
  return findTooLong(file, text).length > 0 || withIt.length > shared.length
}

/**
 * @param {string} title
 * @param {readonly string[]} messages
 */
function report(title, messages) {
  if (messages.length > 0) console.log([`${title} (${messages.length}):`, ...messages].join('\n  '))
}
