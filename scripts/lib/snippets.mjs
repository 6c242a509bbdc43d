// Turns the TypeScript blocks of a Markdown file into modules to compile. A block is a module. A block
// tagged `ts continue` continues the one before, and a block tagged `ts ignore` is not compiled.
// Declarations that blocks rely on go into a comment, which readers do not see. It holds for the rest
// of the file, or until an empty one:
//
//   <!-- prelude
//   declare const sync: SyncClient<typeof kull>
//   -->
const opening = /^( *)(`{3,})(\S*) *(.*)$/

/**
 * @typedef {object} Snippet
 * @property {string[]} lines of TypeScript
 * @property {number[]} origins the line of the Markdown file, from 1, that each of them came from
 */

/**
 * @param {string} markdown
 * @returns {Snippet[]}
 */
export function snippetsOf(markdown) {
  /** @type {Snippet[]} */
  const snippets = []
  /** @type {Snippet} */
  let prelude = { lines: [], origins: [] }
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; at++) {
    if (/^<!-- prelude\b/.test(lines[at] ?? '')) {
      const end = endOf(lines, at, (line) => line.trimEnd().endsWith('-->'))
      prelude = cut(lines, at + 1, end)
      at = end
      continue
    }
    const [, indent = '', fence, language = '', tags = ''] = opening.exec(lines[at] ?? '') ?? []
    if (fence === undefined) continue
    const end = endOf(lines, at + 1, (line) => line.trim() === fence)
    const isTypeScript = ['ts', 'tsx', 'typescript'].includes(language)
    if (isTypeScript && !/\bignore\b/.test(tags)) {
      const before = /\bcontinue\b/.test(tags) ? snippets.pop() : undefined
      snippets.push(join(before ?? prelude, cut(lines, at + 1, end, indent.length)))
    }
    at = end
  }
  return snippets
}

/**
 * Replaces the `path(line,column)` of a compiler's message about a snippet by that of the Markdown file.
 * @param {string} message a line that tsc printed
 * @param {ReadonlyMap<string, { file: string, origins: readonly number[] }>} modules by name of the
 *   compiled file, without its folder
 */
export function locate(message, modules) {
  return message.replace(/^(?:\S*\/)?([^/\s(]+)\((\d+),(\d+)\)/, (whole, name, line, column) => {
    const module = modules.get(name)
    return module ? `${module.file}:${module.origins[Number(line) - 1] ?? 0}:${column}` : whole
  })
}

/**
 * @param {readonly string[]} lines
 * @param {number} from
 * @param {(line: string) => boolean} isEnd
 */
function endOf(lines, from, isEnd) {
  const end = lines.findIndex((line, at) => at >= from && isEnd(line))
  return end === -1 ? lines.length : end
}

/**
 * @param {readonly string[]} lines
 * @param {number} from
 * @param {number} to
 * @param {number} [indent]
 * @returns {Snippet}
 */
function cut(lines, from, to, indent = 0) {
  const taken = lines.slice(from, to)
  return {
    lines: taken.map((line) => line.slice(indent)),
    origins: taken.map((_, index) => from + index + 1),
  }
}

/**
 * @param {Snippet} first
 * @param {Snippet} second
 * @returns {Snippet}
 */
function join(first, second) {
  return {
    lines: [...first.lines, ...second.lines],
    origins: [...first.origins, ...second.origins],
  }
}
