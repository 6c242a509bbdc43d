import { describe, expect, it } from 'vitest'
import { plantDefect } from '../../scripts/lib/plant-defect.mjs'

type Change = { pattern: string; replace?: string; before?: string; unit?: string }

function plant(code: string, change: Change): string {
  const files = new Map([
    ['src/a/one.ts', code],
    ['src/b/two.ts', 'class Other { accept() { send(1) } }'],
  ])
  return plantDefect(files, { name: 'a mistake', folder: 'src/a', unit: 'accept', ...change }).text
}

const inMethod = (body: string) => `class Outbox { accept(n) { ${body} } }`

describe('plantDefect', () => {
  it('drops the statement', () => {
    expect(plant(inMethod('send(1); stop()'), { pattern: 'send(1)' })).toBe(inMethod('; stop()'))
    expect(plant(inMethod('if (n) send(1)'), { pattern: 'send(1)' })).toBe(inMethod('if (n) ;'))
  })

  it('puts undefined where an expression was', () => {
    expect(plant('const accept = () => send(1)', { pattern: 'send(1)' })).toBe(
      'const accept = () => undefined',
    )
  })

  it('finds a function that is handed to another one', () => {
    const code = 'const handlers = { accept: check(schema, (n) => { send(n) }) }'
    expect(plant(code, { pattern: 'send(n)' })).toBe(code.replace('send(n)', ';'))
  })

  it('replaces the match, with what the wildcards stand for', () => {
    const change = { pattern: 'send($first, $$rest)', replace: 'send($$rest)' }
    expect(plant(inMethod('send(1, n + 1, "a")'), change)).toBe(inMethod('send(n + 1, "a")'))
  })

  it('puts code in front of the statement', () => {
    const change = { pattern: 'send($n)', before: 'stop($n)' }
    expect(plant(inMethod('return send(1)'), change)).toBe(inMethod('stop(1); return send(1)'))
    expect(plant(inMethod('if (n) send(1)'), change)).toBe(inMethod('if (n) { stop(1); send(1) }'))
  })

  it.each([
    ['this and private names', 'this.#send(1)'],
    ['who has the function', 'options.link?.send(1)'],
    ['layout and comments', 'send(\n  // why\n  1\n)'],
    ['casts and parentheses', '(send((1 as number)))'],
  ])('ignores %s', (_what, body) => {
    expect(plant(inMethod(body), { pattern: 'send(1)' })).not.toContain('1')
  })

  it('ignores braces around one statement, and the short form of a property', () => {
    const change = { pattern: 'if ($n) send({ n })', replace: 'stop($n)' }
    expect(plant(inMethod('if (n > 1) { send({ n: n }) }'), change)).toBe(inMethod('stop(n > 1)'))
  })

  it('tells other operators, names and literals apart', () => {
    const body = 'if (n > 1) send(1)'
    for (const pattern of ['$n < 1', 'm > 1', '$n > 2', 'send("1")', 'send(1, 1)']) {
      expect(() => plant(inMethod(body), { pattern })).toThrow('does not find it')
    }
  })

  it('wants the same code for a wildcard that is used twice', () => {
    expect(() => plant(inMethod('send(a, b)'), { pattern: 'send($x, $x)' })).toThrow()
    expect(plant(inMethod('send(a, a)'), { pattern: 'send($x, $x)' })).toBe(inMethod(';'))
  })

  it('finds a unit by the names around it', () => {
    const code = `${inMethod('send(1)')} class Queue { accept() { send(1) } }`
    expect(plant(code, { unit: 'Queue.accept', pattern: 'send(1)' })).toBe(
      `${inMethod('send(1)')} class Queue { accept() { ; } }`,
    )
    expect(() => plant(code, { pattern: 'send(1)' })).toThrow(
      /finds it 2 times:\nsrc\/a\/one\.ts:1/,
    )
  })

  it('shows the code of the unit where the pattern is not in it', () => {
    expect(() => plant(inMethod('stop()'), { pattern: 'send(1)' })).toThrow(
      '  accept(n) { stop() }',
    )
    expect(() => plant('', { pattern: 'send(1)' })).toThrow('no function, method or class')
  })
})
