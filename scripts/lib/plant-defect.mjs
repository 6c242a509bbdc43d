// Plants one mistake in the source: finds its place and says what the file's text becomes.
import ts from 'typescript'
import { fillIn, findCode, findUnits } from './find-code.mjs'
import { lineOf } from './source-files.mjs'

/**
 * @typedef {import('./find-code.mjs').CodePlace} CodePlace
 * @typedef {{ file: string, text: string }} PlantedFile a file and its text with the mistake
 */

/**
 * Plants a defect.
 * @param {ReadonlyMap<string, string>} files all source files, text by path
 * @param {import('./defects.mjs').Defect} defect
 * @returns {PlantedFile}
 * @throws {Error} Where its place is not there, or there is more than one; tells what is there.
 */
export function plantDefect(files, defect) {
  const searched = new Map([...files].filter(([file]) => file.startsWith(defect.folder)))
  const places = findCode(searched, { unit: defect.unit, pattern: defect.pattern })
  const [place] = places
  if (place === undefined || places.length > 1) throw new Error(explain(searched, defect, places))
  const { node, text } = change(defect, place)
  const before = place.source.text
  return {
    file: place.file,
    text: before.slice(0, node.getStart(place.source)) + text + before.slice(node.end),
  }
}

/**
 * Which node gives way to which text.
 * @param {import('./defects.mjs').Defect} defect
 * @param {CodePlace} place
 */
function change(defect, place) {
  const { node, source } = place
  if (defect.replace !== undefined) return { node, text: fillIn(defect.replace, place) }
  const statement = ts.findAncestor(node, ts.isStatement)
  if (defect.before !== undefined && statement !== undefined) {
    const text = `${fillIn(defect.before, place)}; ${statement.getText(source)}`
    return { node: statement, text: ts.isBlock(statement.parent) ? text : `{ ${text} }` }
  }
  if (ts.isStatement(node) || ts.isExpressionStatement(node.parent)) {
    return { node: ts.isStatement(node) ? node : node.parent, text: ';' }
  }
  return { node, text: 'undefined' }
}

/**
 * @param {ReadonlyMap<string, string>} files
 * @param {import('./defects.mjs').Defect} defect
 * @param {readonly CodePlace[]} places
 */
function explain(files, { name, folder, unit, pattern }, places) {
  const looked = `"${name}" looks in ${unit} of ${folder} for\n  ${pattern}\n`
  if (places.length > 0) return `${looked}and finds it ${places.length} times:\n${list(places)}`
  const units = findUnits(files, unit)
  return units.length > 0
    ? `${looked}and does not find it in\n${list(units)}`
    : `${looked}and there is no function, method or class of that name.`
}

/** @param {readonly { file: string, source: ts.SourceFile, node: ts.Node }[]} places */
function list(places) {
  return places
    .map(({ file, source, node }) => {
      return `${file}:${lineOf(source, node)}\n${node.getText(source).replace(/^/gm, '  ')}`
    })
    .join('\n')
}
