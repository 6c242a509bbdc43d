// Finds a place in TypeScript by what it means rather than by its text: by the name of the
// function that it stands in and by a pattern, which is a piece of code with wildcards.
import ts from 'typescript'
import { parse, unitName } from './source-files.mjs'

/**
 * @typedef {object} CodeQuery
 * @property {string} [unit] The functions, methods or classes to search, by name: `accept`, or
 *   `Outbox.accept` for an `accept` inside `Outbox`. All code where absent.
 * @property {string} pattern What to find, as code. `$name` stands for any expression; used twice, both must be
 *   the same. `$$name` stands for all remaining arguments or elements. `name` also stands for
 *   `anything.name`. A match ignores layout, comments, `this.`, the `#` of private names, `?.`, casts,
 *   parentheses, and braces around a single statement.
 *
 * @typedef {object} CodePlace
 * @property {string} file
 * @property {ts.SourceFile} source
 * @property {ts.Node} node
 * @property {ReadonlyMap<string, ts.Node | readonly ts.Node[]>} bound What each wildcard stands for.
 */

/**
 * All places that match a query.
 * @param {ReadonlyMap<string, string>} files text by file name
 * @param {CodeQuery} query
 * @returns {CodePlace[]}
 */
export function findCode(files, { unit, pattern }) {
  const wanted = parsePattern(pattern)
  const path = unit?.split('.') ?? []
  /** @type {CodePlace[]} */
  const places = []
  for (const [file, text] of files) {
    if (!path.every((name) => text.includes(name))) continue
    const source = parse(file, text)
    visitUnits(source, path, (node) => {
      if (unwrap(node) !== node) return
      const bound = new Map()
      if (matches(wanted, node, bound)) places.push({ file, source, node, bound })
    })
  }
  return places
}

/**
 * Where the functions, methods or classes of a name stand, for messages.
 * @param {ReadonlyMap<string, string>} files text by file name
 * @param {string} unit
 * @returns {{ file: string, source: ts.SourceFile, node: ts.Node }[]}
 */
export function findUnits(files, unit) {
  const path = unit.split('.')
  /** @type {ReturnType<typeof findUnits>} */
  const units = []
  for (const [file, text] of files) {
    const source = parse(file, text)
    visit(source, [], (node, names) => {
      if (unitName(node) !== undefined && endsWith(names, path)) units.push({ file, source, node })
    })
  }
  return units
}

/**
 * Fills the wildcards of a text with what they stand for.
 * @param {string} text
 * @param {CodePlace} place
 */
export function fillIn(text, { source, bound }) {
  return text.replace(/\$\$?\w+/g, (name) => {
    const node = bound.get(name)
    if (node === undefined) throw new Error(`${name} does not occur in the pattern`)
    return [node]
      .flat()
      .map((one) => one.getText(source))
      .join(', ')
  })
}

/** @param {string} pattern */
function parsePattern(pattern) {
  // In a method, so that `return`, `this` and private names are allowed.
  const source = parse('pattern.ts', `class Pattern { method() {\n${pattern}\n} }`)
  /** @type {ts.Statement[]} */
  const statements = []
  visit(source, [], (node) => {
    if (ts.isMethodDeclaration(node) && node.body) statements.push(...node.body.statements)
  })
  const [statement] = statements
  if (statement === undefined || statements.length > 1) {
    throw new Error(`A pattern is one statement or expression: ${pattern}`)
  }
  return unwrap(statement)
}

/**
 * Calls back for every node below a unit, once.
 * @param {ts.SourceFile} source
 * @param {readonly string[]} path
 * @param {(node: ts.Node) => void} found
 */
function visitUnits(source, path, found) {
  visit(source, [], (node, names) => {
    if (contains(names, path)) found(node)
  })
}

/**
 * Visits a node and all below it, with the names of the units around each, its own included.
 * @param {ts.Node} node
 * @param {readonly string[]} around
 * @param {(node: ts.Node, names: readonly string[]) => void} found
 */
function visit(node, around, found) {
  const name = unitName(node)
  const names = name === undefined ? around : [...around, name]
  found(node, names)
  ts.forEachChild(node, (child) => {
    visit(child, names, found)
  })
}

/** @param {string} name */
function bare(name) {
  return name.replace(/^#/, '')
}

/**
 * Whether the path occurs in the names, in its order.
 * @param {readonly string[]} names
 * @param {readonly string[]} path
 */
function contains(names, path) {
  let at = 0
  for (const name of names) if (name === path[at]) at += 1
  return at === path.length
}

/** @param {readonly string[]} names @param {readonly string[]} path */
function endsWith(names, path) {
  return contains(names, path) && names.at(-1) === path.at(-1)
}

/**
 * A node without what a match ignores around it.
 * @param {ts.Node} node
 * @returns {ts.Node}
 */
function unwrap(node) {
  if (
    ts.isExpressionStatement(node) ||
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  ) {
    return unwrap(node.expression)
  }
  if (ts.isBlock(node) && node.statements.length === 1 && !isFunctionBody(node)) {
    return unwrap(/** @type {ts.Statement} */ (node.statements[0]))
  }
  if (ts.isPropertyAccessExpression(node) && node.expression.kind === ts.SyntaxKind.ThisKeyword) {
    return node.name
  }
  return node
}

/** @param {ts.Block} block */
function isFunctionBody(block) {
  return ts.isFunctionLike(block.parent)
}

/**
 * @param {ts.Node} wantedNode
 * @param {ts.Node} foundNode
 * @param {Map<string, ts.Node | readonly ts.Node[]>} bound
 * @returns {boolean}
 */
function matches(wantedNode, foundNode, bound) {
  const wanted = unwrap(wantedNode)
  const found = unwrap(foundNode)
  if (isName(wanted)) return matchesName(bare(wanted.text), found, bound)
  if (wanted.kind !== found.kind && !(isProperty(wanted) && isProperty(found))) return false
  if (ts.isLiteralExpression(wanted))
    return wanted.text === /** @type {typeof wanted} */ (found).text
  if (ts.isPrefixUnaryExpression(wanted) || ts.isPostfixUnaryExpression(wanted)) {
    if (wanted.operator !== /** @type {typeof wanted} */ (found).operator) return false
  }
  return matchAll(parts(wanted), parts(found), bound)
}

/**
 * @param {readonly ts.Node[]} wanted
 * @param {readonly ts.Node[]} found
 * @param {Map<string, ts.Node | readonly ts.Node[]>} bound
 */
function matchAll(wanted, found, bound) {
  const last = wanted.at(-1)
  const rest = last && isName(last) && last.text.startsWith('$$') ? last.text : undefined
  const each = rest === undefined ? wanted : wanted.slice(0, -1)
  if (rest === undefined ? found.length !== each.length : found.length < each.length) return false
  if (rest !== undefined) bound.set(rest, found.slice(each.length))
  return each.every((one, at) => matches(one, /** @type {ts.Node} */ (found[at]), bound))
}

/**
 * @param {string} name
 * @param {ts.Node} found
 * @param {Map<string, ts.Node | readonly ts.Node[]>} bound
 */
function matchesName(name, found, bound) {
  if (name.startsWith('$')) {
    const before = bound.get(name)
    bound.set(name, found)
    return before === undefined || [before].flat()[0]?.getText() === found.getText()
  }
  const last = ts.isPropertyAccessExpression(found) ? found.name : found
  return isName(last) && bare(last.text) === name
}

/**
 * @param {ts.Node} node
 * @returns {node is ts.Identifier | ts.PrivateIdentifier}
 */
function isName(node) {
  return ts.isIdentifier(node) || ts.isPrivateIdentifier(node)
}

/** @param {ts.Node} node */
function isProperty(node) {
  return ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)
}

/**
 * What a node consists of. `{ a }` has the parts of `{ a: a }`, and `a?.b` those of `a.b`.
 * @param {ts.Node} node
 */
function parts(node) {
  if (ts.isShorthandPropertyAssignment(node)) return [node.name, node.name]
  /** @type {ts.Node[]} */
  const children = []
  ts.forEachChild(node, (child) => {
    if (child.kind !== ts.SyntaxKind.QuestionDotToken) children.push(child)
  })
  return children
}
