import { describe, expect, it } from 'vitest'
import { citedRules, compareRules, definedRules } from '../../scripts/lib/rules.mjs'

describe('definedRules', () => {
  it('finds ids at the start of lines, list items and table cells', () => {
    const markdown = [
      '[CONN-1] a line',
      '- [CONN-2] an item',
      '  * **[CONN-3]** a nested, bold item',
      '4. [CONN-4] a numbered item',
      '| `connect()` | [CALL-1] opens | **[CALL-2]** nothing |',
    ].join('\n')
    expect(definedRules(markdown)).toEqual([
      'CONN-1',
      'CONN-2',
      'CONN-3',
      'CONN-4',
      'CALL-1',
      'CALL-2',
    ])
  })

  it('takes a mention, a link and a fenced example for no definition', () => {
    const markdown = [
      'As [CONN-1] says, and [CONN-2] too.',
      '[CONN-3](#elsewhere) is a link',
      '[CONN-4]: https://example.com',
      '```ts',
      '[CONN-5] in code',
      '```',
    ].join('\n')
    expect(definedRules(markdown)).toEqual([])
  })
})

describe('citedRules', () => {
  it('finds every id of a name, wherever it stands', () => {
    expect(citedRules(['connect > [CONN-1] [CONN-2] opens', 'no rule', 'a [KULL-12]'])).toEqual(
      new Set(['CONN-1', 'CONN-2', 'KULL-12']),
    )
  })
})

describe('compareRules', () => {
  it('tells rules without a test, unknown citations and ids defined twice', () => {
    const { untested, unknown, twice } = compareRules(
      '- [A-1] one\n- [A-2] two\n- [A-2] two again',
      ['[A-1] holds', '[A-3] holds'],
    )
    expect({ untested, unknown, twice }).toEqual({
      untested: ['A-2'],
      unknown: ['A-3'],
      twice: ['A-2'],
    })
  })
})
