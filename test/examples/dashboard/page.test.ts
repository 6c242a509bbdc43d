import { describe, expect, it } from 'vitest'
import { readQuery } from '../../../examples/dashboard/page/address.js'
import { createKept, keepDeviceId } from '../../../examples/dashboard/page/remembered.js'

describe("the page's address", () => {
  it('[DEMO-7] names the device', () => {
    expect(readQuery('?device=studio-mac').deviceId).toBe('studio-mac')
    expect(readQuery('?device=Ada%27s%20iPad').deviceId).toBe("Ada's iPad")
  })

  it.each(['', '?device=', '?device=%20', '?device=a:b'])('[DEMO-7] %s names none', (search) => {
    expect(readQuery(search).deviceId).toBeUndefined()
  })

  it('sets durations, and leaves out what makes no sense', () => {
    expect(readQuery('?ping=300&pong=200').timing).toEqual({
      pingIntervalMs: 300,
      pongTimeoutMs: 200,
    })
    for (const value of ['', '0', '49', '-5', '1.5', 'soon', '600001', '1e9', 'Infinity']) {
      expect(readQuery(`?ping=${value}`).timing).toEqual({})
    }
  })
})

function createMemory() {
  const values = new Map<string, string>()
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  }
}

describe('what a browser keeps', () => {
  it('[DEMO-7] makes a device id once, in upper case', () => {
    const memory = createMemory()
    let made = 0
    const makeId = () => `abc-${++made}`
    expect(
      keepDeviceId(
        createKept(() => memory),
        makeId,
      ),
    ).toBe('ABC-1')
    expect(
      keepDeviceId(
        createKept(() => memory),
        makeId,
      ),
    ).toBe('ABC-1')
    expect(made).toBe(1)
    expect([...memory.values.keys()]).toEqual(['kull.deviceId'])
  })

  it('[DEMO-7] does without storage', () => {
    const kept = createKept(() => {
      throw new Error('The operation is insecure.')
    })
    kept.write('environment', 'staging')
    expect(kept.read('environment')).toBeUndefined()
    expect(keepDeviceId(kept, () => 'abc')).toBe('ABC')
  })
})
