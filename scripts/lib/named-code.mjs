import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './run.mjs'
import { parse } from './source-files.mjs'

// `src/client.ts`, `src/client.ts#createSyncClient`, `src/a/b.ts#Outbox.accept` or `src/delivery/`.
const named =
  /`((?:src|test|scripts|bench|chaos|examples|docs|etc)\/[\w./-]*)(?:#([\w$.]+)(?:\(\))?)?`/g

/**
 * What a page of Markdown names in backticks that is not there: files, folders, and what a file
 * declares.
 * @param {string} page its name, for the messages
 * @param {string} markdown
 * @returns {string[]} a message each
 */
export function findStaleNames(page, markdown) {
  return markdown.split('\n').flatMap((text, index) =>
    [...text.matchAll(named)].flatMap(([, path = '', name]) => {
      const problem = problemWith(path, name)
      return problem === undefined ? [] : `${page}:${index + 1} ${problem}`
    }),
  )
}

/**
 * @param {string} path
 * @param {string | undefined} name
 */
function problemWith(path, name) {
  const file = join(root, path)
  if (!existsSync(file)) return `${path} does not exist`
  if (name === undefined) return undefined
  const isDeclared = declaredIn(path, readFileSync(file, 'utf8')).has(name)
  return isDeclared ? undefined : `${path} declares no ${name}`
}

/**
 * The names of what a file declares at its top level, and of the members of its classes and
 * interfaces, alone and as `Class.member`.
 * @param {string} file
 * @param {string} text
 * @returns {Set<string>}
 */
export function declaredIn(file, text) {
  /** @type {Set<string>} */
  const names = new Set()
  for (const statement of parse(file, text).statements) {
    const declarations = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations
      : [/** @type {ts.Node & { name?: ts.Node }} */ (statement)]
    for (const { name } of declarations) if (name) names.add(name.getText())
    if (!ts.isClassDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) continue
    for (const { name } of statement.members) {
      const member = name?.getText().replace(/^#/, '')
      if (member !== undefined) names.add(member).add(`${statement.name?.text}.${member}`)
    }
  }
  return names
}
