import { describe, expect, it } from 'vitest'
import { findTooLong } from '../../scripts/lib/limits.mjs'
import { findSharedNames } from '../../scripts/lib/names.mjs'

const lines = (count: number) => 'call()\n'.repeat(count)

describe('findTooLong', () => {
  it('allows a function of 80 lines and a file of 300', () => {
    expect(findTooLong('a.ts', `function fits() {\n${lines(78)}}\n${lines(220)}`)).toEqual([])
  })

  it('finds a longer function, a longer method and a longer file', () => {
    const text = `const long = () => {\n${lines(79)}}\nclass A {\n #run() {\n${lines(79)}}\n}\n`
    expect(findTooLong('a.ts', text)).toEqual([
      'a.ts:1 long: 81 lines, at most 80',
      'a.ts:83 run: 81 lines, at most 80',
    ])
    expect(findTooLong('b.ts', lines(301))).toEqual(['b.ts: 301 lines, at most 300'])
  })

  it('has no limit for a statechart, but one for the functions beside it', () => {
    const chart = `function create() {\n return setup({}).createMachine({})\n${lines(300)}}\n`
    expect(findTooLong('a.ts', chart)).toEqual([])
    expect(findTooLong('a.ts', `${chart}function long() {\n${lines(79)}}`)).toEqual([
      'a.ts:304 long: 81 lines, at most 80',
    ])
  })
})

describe('findSharedNames', () => {
  const shared = (one: string, two: string) =>
    findSharedNames(
      new Map([
        ['one.ts', one],
        ['two.ts', two],
      ]),
    )

  it.each([
    ['types', 'type Entry = 1', 'interface Entry {}'],
    ['a class and a type', 'export class Entry {}', 'type Entry = 1'],
    ['constants', 'const Entry = 1', 'export const Entry = 2'],
  ])('finds %s of one name, exported or not', (_what, one, two) => {
    expect(shared(one, two)).toEqual(['Entry: one.ts:1, two.ts:1'])
  })

  it('finds exported functions, and lets helpers repeat', () => {
    expect(shared('export function sizeOf() {}', 'export const sizeOf = 1')).toHaveLength(1)
    expect(shared('function sizeOf() {}', 'const sizeOf = () => 1')).toEqual([])
    expect(shared('export function sizeOf() {}', 'function sizeOf() {}')).toEqual([])
  })

  it('takes overloads, and an interface beside its class, for one thing', () => {
    expect(
      shared('export interface A {} export class A {}', 'import { A } from "./one.js"'),
    ).toEqual([])
  })
})
