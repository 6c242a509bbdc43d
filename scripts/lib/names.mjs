import ts from 'typescript'
import { lineOf, parse } from './source-files.mjs'

/**
 * The names that more than one file declares at its top level. Small helper functions and values
 * that a file does not export, with a lower-case name, may repeat.
 * @param {ReadonlyMap<string, string>} files text by path
 * @returns {string[]} a message each
 */
export function findSharedNames(files) {
  /** @type {Map<string, Map<string, number>>} */
  const places = new Map()
  for (const [file, text] of files) {
    const source = parse(file, text)
    for (const statement of source.statements) {
      for (const name of declaredNames(statement)) {
        if (!isExported(statement) && /^[a-z]/.test(name)) continue
        const known = places.get(name) ?? new Map()
        // An overload, or an interface beside its class, is the same thing.
        if (!known.has(file)) known.set(file, lineOf(source, statement))
        places.set(name, known)
      }
    }
  }
  return [...places]
    .filter(([, known]) => known.size > 1)
    .map(([name, known]) => {
      return `${name}: ${[...known].map(([file, line]) => `${file}:${line}`).join(', ')}`
    })
    .sort()
}

/**
 * @param {ts.Statement} statement
 * @returns {string[]}
 */
function declaredNames(statement) {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText())
  }
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  ) {
    return statement.name ? [statement.name.text] : []
  }
  return []
}

/** @param {ts.Statement} statement */
function isExported(statement) {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
}
