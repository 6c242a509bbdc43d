import { describe, expect, it } from 'vitest'
import { locate, snippetsOf } from '../../scripts/lib/snippets.mjs'

const code = (markdown: string) => snippetsOf(markdown).map(({ lines }) => lines)

describe('snippetsOf', () => {
  it('takes TypeScript blocks, and no others', () => {
    expect(code('```ts\nconst a = 1\n```\n```json\n{}\n```\n```ts ignore\nnope(\n```')).toEqual([
      ['const a = 1'],
    ])
  })

  it('joins a continued block to the one before', () => {
    expect(code('```ts\nconst a = 1\n```\nand\n```ts continue\na\n```\n```ts\nb\n```')).toEqual([
      ['const a = 1', 'a'],
      ['b'],
    ])
  })

  it('puts the prelude before each block that follows, until an empty one', () => {
    expect(
      code('<!-- prelude\nlet a = 1\n-->\n```ts\na\n```\n<!-- prelude -->\n```ts\nb\n```'),
    ).toEqual([['let a = 1', 'a'], ['b']])
  })

  it('takes off the indent of a block in a list, and reads over fences inside fences', () => {
    expect(code('- x\n\n  ```ts\n  if (a) {\n    b()\n  }\n  ```')).toEqual([
      ['if (a) {', '  b()', '}'],
    ])
    expect(code('````md\n```ts\nnot compiled\n```\n````')).toEqual([])
  })
})

describe('locate', () => {
  it('leads an error back to the line of the Markdown file', () => {
    const [snippet] = snippetsOf('# Title\n\n```ts\nconst a = 1\nconst b: string = a\n```')
    const modules = new Map([['README-md-5.ts', { file: 'README.md', ...snippet! }]])
    expect(locate('.cache/docs-examples/README-md-5.ts(2,7): error TS2322: No.', modules)).toBe(
      'README.md:5:7: error TS2322: No.',
    )
    expect(locate('  a line that goes on', modules)).toBe('  a line that goes on')
  })
})
