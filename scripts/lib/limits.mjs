import ts from 'typescript'
import { lineOf, parse, unitName } from './source-files.mjs'

/** Most lines of a function, from its first line to its last. */
const MOST_FUNCTION_LINES = 80
/** Most lines of a file. */
const MOST_FILE_LINES = 300

/**
 * The functions of a file that are too long, and the file itself where it is. The definition of a
 * statechart is data: neither the function that makes one nor its file has a limit.
 * @param {string} file
 * @param {string} text
 * @returns {string[]} a message each
 */
export function findTooLong(file, text) {
  if (text.includes('.createMachine(')) return findLongFunctions(file, text)
  const lines = text.trimEnd().split('\n').length
  const isLong = lines > MOST_FILE_LINES
  return [
    ...(isLong ? [`${file}: ${lines} lines, at most ${MOST_FILE_LINES}`] : []),
    ...findLongFunctions(file, text),
  ]
}

/**
 * @param {string} file
 * @param {string} text
 */
function findLongFunctions(file, text) {
  const source = parse(file, text)
  /** @type {string[]} */
  const messages = []
  /**
   * @param {ts.Node} node
   * @param {string} name of the function around it
   */
  function visit(node, name) {
    const inner = unitName(node) ?? name
    if (ts.isFunctionLike(node) && !node.getText(source).includes('.createMachine(')) {
      const from = lineOf(source, node)
      const lines = source.getLineAndCharacterOfPosition(node.end).line + 2 - from
      if (lines > MOST_FUNCTION_LINES) {
        messages.push(`${file}:${from} ${inner}: ${lines} lines, at most ${MOST_FUNCTION_LINES}`)
      }
    }
    ts.forEachChild(node, (child) => {
      visit(child, inner)
    })
  }
  visit(source, 'a function')
  return messages
}
