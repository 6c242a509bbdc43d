import { describe, expect, it } from 'vitest'
import { declaredIn, findStaleNames } from '../../scripts/lib/named-code.mjs'

describe('findStaleNames', () => {
  it('takes files, folders and functions that are there', () => {
    const markdown = [
      'See `src/client.ts`, `src/delivery/` and `src/client.ts#createSyncClient`,',
      '`src/base/deadline.ts#withDeadline()` and `src/base/clock.ts#Clock.now`.',
      'Neither `npm run check` nor `statewire/server` nor `src/**` is a file.',
    ].join('\n')
    expect(findStaleNames('page.md', markdown)).toEqual([])
  })

  it('finds those that are not, with their lines', () => {
    const markdown = 'A\n`src/gone.ts` and `src/client.ts#gone`\n`src/gone/`, `src/gone.ts#a`'
    expect(findStaleNames('page.md', markdown)).toEqual([
      'page.md:2 src/gone.ts does not exist',
      'page.md:2 src/client.ts declares no gone',
      'page.md:3 src/gone/ does not exist',
      'page.md:3 src/gone.ts does not exist',
    ])
  })
})

describe('declaredIn', () => {
  it('knows top-level declarations and members of classes and interfaces', () => {
    const text = `
      export const limit = 1
      function helper() { const inner = 1 }
      type Kind = 'a'
      interface Port { send(): void }
      class Outbox { #queue = []; accept() {} }`
    expect([...declaredIn('a.ts', text)]).toEqual([
      ...['limit', 'helper', 'Kind', 'Port', 'send', 'Port.send'],
      ...['Outbox', 'queue', 'Outbox.queue', 'accept', 'Outbox.accept'],
    ])
  })
})
