import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './run.mjs'

/**
 * Reads the TypeScript and JavaScript files of a folder and of the folders inside.
 * @param {string} folder below the project's root
 * @returns {Map<string, string>} text by path below the project's root
 */
export function readSources(folder) {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return new Map(
    names
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((file) => /\.m?[tj]s$/.test(file) && !/\/(node_modules|dist)\//.test(file))
      .map((file) => [file, readFileSync(join(root, file), 'utf8')]),
  )
}

/**
 * @param {string} file
 * @param {string} text
 */
export function parse(file, text) {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
}

/**
 * The line on which a node starts, counted from 1.
 * @param {ts.SourceFile} source
 * @param {ts.Node} node
 */
export function lineOf(source, node) {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

/**
 * The name of a function, method, accessor or class, or of what a function is assigned to:
 * `send = () => {}`, and `send = wrap(() => {})`.
 * @param {ts.Node} node
 * @returns {string | undefined}
 */
export function unitName(node) {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if (
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isAccessor(node) ||
    ts.isClassDeclaration(node)
  ) {
    return node.name && publicName(node.name)
  }
  const assigns =
    ts.isVariableDeclaration(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertyAssignment(node)
  if (!assigns || !node.initializer) return undefined
  const values = ts.isCallExpression(node.initializer)
    ? node.initializer.arguments
    : [node.initializer]
  return values.some(isFunction) ? publicName(node.name) : undefined
}

/** @param {ts.Node} node */
function isFunction(node) {
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node)
}

/**
 * A name without the `#` of private members.
 * @param {ts.Node} name
 */
function publicName(name) {
  return name.getText().replace(/^#/, '')
}
