import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { createEnvironments } from '../../src/kull/environment-choice.js'
import { defineEnvironment, environments } from '../../src/kull/environments.js'
import { createMemoryStore } from '../../src/storage/memory.js'
import { createManualClock } from '../../src/testing/clock.js'

const laptop = defineEnvironment('laptop', 'http://192.168.1.20:5000')
const { development, staging, production } = environments

function create(options: Partial<Parameters<typeof createEnvironments>[0]> = {}) {
  return createEnvironments({ store: createMemoryStore(), release: false, ...options })
}

describe('the environment', () => {
  it('[ENVS-1] is production at first, or what the app says', async () => {
    expect((await create()).current).toEqual(production)
    expect((await create({ initial: staging })).current).toEqual(staging)
  })

  it('[ENVS-2] is remembered between runs, a custom one too', async () => {
    const store = createMemoryStore()
    for (const choice of ['staging', 'development', laptop, 'production'] as const) {
      const run = await create({ store })
      await run.switchTo(choice)
      run.dispose()
      const expected = typeof choice === 'string' ? environments[choice] : choice
      expect((await create({ store })).current).toEqual(expected)
    }
  })

  it('[ENVS-2] is production where what is remembered is damaged', async () => {
    for (const text of [
      '',
      '{',
      'null',
      '"staging"',
      '{"name":"x"}',
      '{"name":"x","httpUrl":"http://x","webSocketUrl":"javascript:1"}',
      '{"name":"x","httpUrl":"ftp://x","webSocketUrl":"ws://x"}',
      '{"name":"__proto__","httpUrl":1,"webSocketUrl":2}',
    ]) {
      const store = createMemoryStore()
      await store.set('environment', text)
      expect((await create({ store })).current, text).toEqual(production)
    }
  })

  it('[ENVS-3] is never development when a release build starts', async () => {
    const store = createMemoryStore()
    await (await create({ store })).switchTo('development')
    const release = await create({ store, release: true })
    expect(release.current).toEqual(production)
    expect((await create({ store, release: true, initial: staging })).current).toEqual(staging)
    // A known name stands for its known address, whatever else is written beside it.
    await store.set('environment', JSON.stringify({ ...staging, name: 'development' }))
    expect((await create({ store, release: true })).current).toEqual(production)
    // While it runs it can be chosen; the next run starts elsewhere.
    await release.switchTo('development')
    expect(release.current).toEqual(development)
    expect((await create({ store, release: true })).current).toEqual(production)
    await expect(create({ release: true, initial: development })).rejects.toMatchObject({
      code: 'option-invalid',
    })
  })

  it('[ENVS-4] tells who listens, and moves the sync', async () => {
    const moved: unknown[] = []
    const run = await create({ sync: { reconnect: (target) => moved.push(target) } })
    const seen: string[] = []
    run.environment$.subscribe({
      next: ({ name }) => seen.push(`${name}, ${run.current.name}`),
      complete: () => seen.push('complete'),
    })
    await run.switchTo('staging')
    await run.switchTo(staging)
    await run.switchTo(laptop)
    run.dispose()
    expect(seen).toEqual([
      'production, production',
      'staging, staging',
      'laptop, laptop',
      'complete',
    ])
    expect(moved).toEqual([
      { url: 'wss://staging.kullai.com/ws' },
      { url: 'ws://192.168.1.20:5000/ws' },
    ])
  })

  it('[ENVS-4] is refused where there is none of that name, or no address', async () => {
    const run = await create()
    for (const choice of [
      'nowhere' as 'staging',
      'toString' as 'staging',
      { ...laptop, name: '' },
      { ...laptop, webSocketUrl: 'http://x' },
      { ...laptop, httpUrl: 'nonsense' },
      null as unknown as typeof laptop,
    ]) {
      await expect(run.switchTo(choice)).rejects.toMatchObject({ code: 'option-invalid' })
    }
    expect(run.current).toEqual(production)
  })

  it('[ENVS-5] keeps what belongs to each apart', async () => {
    const store = createMemoryStore()
    const run = await create({ store })
    const other = defineEnvironment('laptop', 'http://192.168.1.21:5000')
    const all = [development, staging, production, laptop, other]
    for (const environment of all)
      await run.storeOf(environment).set('session', environment.httpUrl)
    for (const environment of all) {
      expect(await run.storeOf(environment).get('session')).toBe(environment.httpUrl)
    }
    expect(await run.storeOf().get('session')).toBe(production.httpUrl)
    expect((await store.keys()).filter((key) => key.endsWith('session'))).toHaveLength(5)
  })

  it('[ENVS-5] has something of its own for each, one at a time', async () => {
    const run = await create()
    const log: string[] = []
    const follow = () =>
      run.follow(({ name }) => {
        log.push(`made for ${name}`)
        return { dispose: () => log.push(`disposed of for ${name}`) }
      })
    const end = follow()
    await run.switchTo('staging')
    end()
    end()
    await run.switchTo('production')
    follow()
    run[Symbol.dispose]()
    expect(log).toEqual([
      'made for production',
      'disposed of for production',
      'made for staging',
      'disposed of for staging',
      'made for production',
      'disposed of for production',
    ])
  })

  it('[ENVS-6] goes on where a store, a sync or a listener fails, and says so', async () => {
    const errors: SyncError[] = []
    const clock = createManualClock()
    const full = () => Promise.reject(new Error('full'))
    const thrower = () => {
      throw new Error('broken')
    }
    const run = await create({
      store: { ...createMemoryStore(), set: full },
      sync: { reconnect: thrower },
      clock,
      onError: (error) => errors.push(error),
    })
    run.environment$.subscribe(thrower)
    run.follow(thrower)
    run.follow(() => ({ dispose: thrower }))
    await run.switchTo('staging')
    expect(run.current).toEqual(staging)
    expect([...new Set(errors.map(({ code }) => code))].sort()).toEqual([
      'handler-threw',
      'storage-failed',
      'sync-threw',
    ])
    expect(clock.pending.count).toBe(0)

    const hang = <T>() => new Promise<T>(() => undefined)
    const late = create({ store: { ...createMemoryStore(), get: hang }, clock })
    await clock.advanceAsync(3_000)
    expect((await late).current).toEqual(production)
  })
})
