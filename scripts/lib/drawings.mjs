import ts from 'typescript'
import { parse } from './source-files.mjs'

/**
 * The states of a file's statechart that the drawing at the top of the file does not show. The
 * drawing is in the comments in front of the first declaration.
 * @param {string} file
 * @param {string} text
 * @returns {string[]} empty where the file makes no statechart
 */
export function undrawnStates(file, text) {
  if (!text.includes('.createMachine(')) return []
  const source = parse(file, text)
  const drawing = commentsAtTop(source)
  return statesOf(source).filter((state) => !new RegExp(`\\b${state}\\b`).test(drawing))
}

/** @param {ts.SourceFile} source */
function commentsAtTop(source) {
  const at = source.statements.findIndex((statement) => !ts.isImportDeclaration(statement))
  return source.statements
    .slice(0, at < 0 ? undefined : at + 1)
    .flatMap((statement) => ts.getLeadingCommentRanges(source.text, statement.getFullStart()) ?? [])
    .map(({ pos, end }) => source.text.slice(pos, end))
    .join('\n')
}

/**
 * The keys of every `states: {…}` in a file, in order.
 * @param {ts.SourceFile} source
 */
function statesOf(source) {
  /** @type {Set<string>} */
  const states = new Set()
  /** @param {ts.Node} node */
  function visit(node) {
    if (
      ts.isPropertyAssignment(node) &&
      node.name.getText(source) === 'states' &&
      ts.isObjectLiteralExpression(node.initializer)
    ) {
      for (const { name } of node.initializer.properties) if (name) states.add(nameOf(name))
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return [...states]
}

/** @param {ts.PropertyName} name */
function nameOf(name) {
  return ts.isStringLiteral(name) ? name.text : name.getText()
}
