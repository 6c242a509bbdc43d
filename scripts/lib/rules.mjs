// A page defines a rule with `[CONN-7]` at the start of a line, a list item or a table cell. A mention
// elsewhere in the prose defines nothing. A test cites a rule with the same text in its name.
const id = /\[([A-Z][A-Z0-9]*-\d+[a-z]?)\](?![(:])/
const definition = new RegExp(`^(?:[-*+]|\\d+\\.)?\\s*(?:\\*\\*|\`)?${id.source}`)
const citation = new RegExp(id.source, 'g')

/**
 * The ids that a specification defines, in order. An id that is defined twice is returned twice.
 * @param {string} markdown
 * @returns {string[]}
 */
export function definedRules(markdown) {
  return withoutFences(markdown)
    .split('\n')
    .flatMap((line) => (line.trimStart().startsWith('|') ? line.split('|') : [line]))
    .flatMap((text) => definition.exec(text.trim())?.[1] ?? [])
}

/**
 * The ids that names of tests cite.
 * @param {readonly string[]} names
 * @returns {Set<string>}
 */
export function citedRules(names) {
  return new Set(
    names.flatMap((name) => Array.from(name.matchAll(citation), ([, rule]) => rule ?? '')),
  )
}

/**
 * @param {string} markdown the specification
 * @param {readonly string[]} names of every test that runs
 */
export function compareRules(markdown, names) {
  const defined = definedRules(markdown)
  const cited = citedRules(names)
  return {
    defined,
    twice: defined.filter((rule, index) => defined.indexOf(rule) !== index),
    untested: [...new Set(defined)].filter((rule) => !cited.has(rule)),
    unknown: [...cited].filter((rule) => !defined.includes(rule)).sort(),
  }
}

/** @param {string} markdown */
function withoutFences(markdown) {
  return markdown.replace(/^ *(`{3,})[^\n]*\n[\s\S]*?^ *\1 *$/gm, '')
}
