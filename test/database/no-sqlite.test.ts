import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSqliteDatabase } from '../../src/database/sqlite/index.js'
import { increment } from './compliance.js'
import { makeFolder } from './folder.js'

vi.mock('@photostructure/sqlite', () => {
  throw Object.assign(new Error('no such package'), { code: 'ERR_MODULE_NOT_FOUND' })
})

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a path', () => {
  it('[DB-17] is refused where there is no SQLite, with what to install', async () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined)
    const database = createSqliteDatabase(join(makeFolder(), 'test.db'))
    await expect(increment(database)).rejects.toMatchObject({
      code: 'option-invalid',
      message: expect.stringContaining('npm install @photostructure/sqlite') as string,
    })
  })

  it('[DB-17] is opened by node:sqlite where there is one', async () => {
    const DatabaseSync = vi.fn(function open() {
      throw new Error('opened')
    })
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ DatabaseSync })
    const path = join(makeFolder(), 'test.db')
    await expect(increment(createSqliteDatabase(path))).rejects.toThrow('opened')
    expect(DatabaseSync.mock.calls).toEqual([[path]])
  })
})
