import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createKeychainStore } from '../../src/storage/node-keychain.js'
import { describeStore } from './compliance.js'

// No keychain is to be had on a build machine. What stands in for it behaves as the package says
// of itself: `null` and `false` for what is not there, and an error where nothing is unlocked.
const keychain = vi.hoisted(() => ({ entries: new Map<string, string>(), isLocked: false }))

vi.mock('@napi-rs/keyring', () => {
  const open = () => {
    if (keychain.isLocked) throw new Error('the keychain is locked')
    return Promise.resolve()
  }
  class AsyncEntry {
    private readonly id: string
    private readonly account: string
    constructor(service: string, account: string) {
      this.account = account
      this.id = `${service}\n${account}`
    }
    async getPassword() {
      await open()
      return keychain.entries.get(this.id) ?? null
    }
    async setPassword(password: string) {
      await open()
      if (password === '') throw new Error(`no value for ${this.account}`)
      keychain.entries.set(this.id, password)
    }
    async deleteCredential() {
      await open()
      return keychain.entries.delete(this.id)
    }
  }
  async function findCredentialsAsync(service: string) {
    await open()
    return [...keychain.entries].flatMap(([id, password]) => {
      const [owner, account] = id.split('\n')
      return owner === service ? [{ account, password }] : []
    })
  }
  return { AsyncEntry, findCredentialsAsync }
})

describeStore('keychain', async () => {
  keychain.entries.clear()
  const lockDirectory = await mkdtemp(join(tmpdir(), 'statewire-'))
  const open = () => createKeychainStore({ service: 'test', lockDirectory })
  return {
    first: open(),
    second: open(),
    close: () => rm(lockDirectory, { recursive: true }),
  }
})

describe('the keychain', () => {
  afterEach(() => {
    keychain.isLocked = false
  })

  it('[STOR-13] is told what went wrong by the store around it, not by a crash', async () => {
    const lockDirectory = await mkdtemp(join(tmpdir(), 'statewire-'))
    const store = createKeychainStore({ service: 'test', lockDirectory })
    keychain.isLocked = true
    for (const attempt of [
      () => store.get('a'),
      () => store.set('a', '1'),
      () => store.delete('a'),
      () => store.keys(),
      () => store.update('a', () => '1'),
    ]) {
      await expect(attempt()).rejects.toThrow('locked')
    }
    keychain.isLocked = false
    await store.set('a', '1')
    expect(await store.get('a')).toBe('1')
    await rm(lockDirectory, { recursive: true })
  })

  it('[STOR-13] keeps the services of several apps apart, and takes what others wrote for nothing', async () => {
    const lockDirectory = await mkdtemp(join(tmpdir(), 'statewire-'))
    const store = createKeychainStore({ service: 'one', lockDirectory })
    await createKeychainStore({ service: 'two', lockDirectory }).set('a', '2')
    expect(await store.get('a')).toBeUndefined()
    keychain.entries.set('one\na', 'written by hand')
    expect(await store.get('a')).toBeUndefined()
    await rm(lockDirectory, { recursive: true })
  })

  it('[STOR-13] refuses to be made without a name', () => {
    for (const options of [
      { service: '', lockDirectory: '/tmp' },
      { service: 'test', lockDirectory: '' },
    ]) {
      expect(() => createKeychainStore(options)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }) as Error,
      )
    }
  })
})
