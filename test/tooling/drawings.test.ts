import { expect, it } from 'vitest'
import { undrawnStates } from '../../scripts/lib/drawings.mjs'

const chart = (comment: string) => `
import { setup } from 'xstate'
${comment}
export function createMachine() {
  // failed
  return setup({}).createMachine({
    states: {
      idle: { on: { start: 'running' } },
      running: { states: { fast: {}, 'very-slow': {} } },
      failed: {},
    },
  })
}`

it('finds the states that the drawing at the top of a file does not show', () => {
  const drawing = '/*\n * idle --start--> running (fast, very-slow) --error--> failed\n */'
  expect(undrawnStates('a.ts', chart(drawing))).toEqual([])
  expect(undrawnStates('a.ts', chart('// idle -> runningFast, slow'))).toEqual([
    ...['running', 'failed', 'fast', 'very-slow'],
  ])
})

it('wants no drawing where there is no statechart', () => {
  expect(undrawnStates('a.ts', 'const states = { states: { idle: {} } }')).toEqual([])
})
