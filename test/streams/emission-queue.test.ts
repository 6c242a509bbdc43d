import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EmissionQueue } from '../../src/streams/publisher.js'

describe('an emission queue', () => {
  it('[ORDER-3] runs what is asked for at once, when nothing is under way', () => {
    const ran: string[] = []
    const queue = new EmissionQueue()
    queue.emit(() => ran.push('first'))
    expect(ran).toEqual(['first'])
  })

  it('[ORDER-3] runs what an emission causes after it, in the order in which it was asked for', () => {
    const ran: string[] = []
    const queue = new EmissionQueue()
    queue.emit(() => {
      queue.emit(() => {
        ran.push('2')
        queue.emit(() => ran.push('4'))
      })
      queue.emit(() => ran.push('3'))
      ran.push('1')
    })
    expect(ran).toEqual(['1', '2', '3', '4'])
  })

  it('[ORDER-3] is first in, first out for any nesting', () => {
    let most = 0
    // How many more emissions each one asks for, in the order in which they run.
    const program = fc.array(fc.integer({ min: 0, max: 3 }), { size: 'max', maxLength: 60 })
    fc.assert(
      fc.property(program, (counts) => {
        const queue = new EmissionQueue()
        const asked: number[] = []
        const ran: number[] = []
        const left = [...counts]
        const ask = (): void => {
          const id = asked.push(asked.length)
          queue.emit(() => {
            for (let more = left.shift() ?? 0; more > 0; more -= 1) ask()
            ran.push(id - 1)
          })
        }
        ask()
        expect(ran).toEqual(asked)
        most = Math.max(most, ran.length)
      }),
    )
    expect(most).toBeGreaterThan(30)
  })

  it('[ORDER-3] takes 100,000 in a chain without growing the stack', () => {
    const queue = new EmissionQueue()
    let ran = 0
    const again = (): void => {
      ran += 1
      if (ran < 100_000) queue.emit(again)
    }
    queue.emit(again)
    expect(ran).toBe(100_000)
  })

  it('goes on after an emission that throws against its contract', () => {
    const queue = new EmissionQueue()
    const ran: string[] = []
    expect(() => {
      queue.emit(() => {
        queue.emit(() => ran.push('left over'))
        throw new Error('against the contract')
      })
    }).toThrow('against the contract')
    queue.emit(() => ran.push('next'))
    expect(ran).toEqual(['left over', 'next'])
  })
})
