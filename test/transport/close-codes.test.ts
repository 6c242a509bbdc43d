import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import type { CloseVerdict } from '../../src/schemas/policy.js'
import {
  classifyCloseCode,
  classifyFailure,
  createCloseTable,
} from '../../src/transport/close-codes.js'
import type { ConnectionFailure } from '../../src/transport/failure.js'
import { expectedVerdict } from './close-code-table.js'

const again = { next: 'retry' }
const notAllowed = { next: 'fail', why: 'policy' }

describe('a close code', () => {
  it('[CODE-1] [CODE-5] [CODE-6] [CODE-9] means what the table says, each from 1000 to 4999', () => {
    let checked = 0
    for (let code = 1_000; code <= 4_999; code += 1) {
      expect([code, classifyCloseCode(code)]).toEqual([code, expectedVerdict(code)])
      checked += 1
    }
    expect(checked).toBe(4_000)
  })

  it('[CODE-1] that no registry knows, from a transport of any kind, is worth a retry', () => {
    for (const code of [0, -1, 999, 5_000, 65_535, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect([code, classifyCloseCode(code)]).toEqual([code, again])
    }
  })

  it('[CODE-10] means what the protocol says first', () => {
    const table = (code: number): CloseVerdict | undefined => {
      if (code === 4001 || code === 4002) return { next: 'fail', why: 'policy' }
      return code === 1008 ? { next: 'retry', minWaitMs: 5 } : undefined
    }
    for (let code = 1_000; code <= 4_999; code += 1) {
      const verdict = classifyCloseCode(code, table)
      if (code === 4001 || code === 4002) expect(verdict).toEqual(notAllowed)
      else if (code === 1008) expect(verdict).toEqual({ next: 'retry', minWaitMs: 5 })
      else expect([code, verdict]).toEqual([code, expectedVerdict(code)])
    }
  })
})

describe('an HTTP status', () => {
  const classify = (status: number, retryAfterMs?: number) =>
    classifyFailure({
      code: 'upgrade-refused',
      message: '',
      status,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    })

  it('[CODE-7] [CODE-8] of 401 refreshes, of 403 is final, of anything else is tried again', () => {
    for (let status = 100; status < 600; status += 1) {
      const verdict = { 401: { next: 'refresh' }, 403: notAllowed }[status] ?? again
      expect([status, classify(status)]).toEqual([status, verdict])
    }
    expect(classify(401, 5_000)).toEqual({ next: 'refresh' })
  })

  it('[CODE-8] with Retry-After says how long to wait, 15 minutes at most, whatever the number', () => {
    const waits: readonly (readonly [retryAfterMs: number, minWaitMs: number])[] = [
      [0, 0],
      [1, 1],
      [5_000, 5_000],
      [900_000, 900_000],
      [900_001, 900_000],
      [1e300, 900_000],
      [Number.POSITIVE_INFINITY, 900_000],
      [-1, 0],
      [Number.NEGATIVE_INFINITY, 0],
      [Number.NaN, 0],
    ]
    for (const [retryAfterMs, minWaitMs] of waits) {
      for (const status of [429, 503, 200, 302]) {
        expect(classify(status, retryAfterMs)).toEqual({ next: 'retry', minWaitMs })
      }
    }
  })
})

describe('any other failure', () => {
  it('[CODE-12] is tried again, but for what no attempt can cure', () => {
    const message = ''
    const curable: readonly ConnectionFailure[] = [
      { code: 'network', message },
      { code: 'connect-timeout', message, afterMs: 1 },
      { code: 'pong-timeout', message, afterMs: 1 },
      { code: 'message-too-large', message, limitBytes: 1 },
      { code: 'provider-rejected', message, provider: 'url' },
    ]
    for (const failure of curable) expect(classifyFailure(failure)).toEqual(again)
    for (const code of ['url-unusable', 'credentials-missing'] as const) {
      expect(classifyFailure({ code, message })).toMatchObject({ next: 'fail' })
    }
  })
})

describe("a protocol's table", () => {
  it('[CODE-10] is asked once for each code, so that it cannot contradict itself', () => {
    const asked: number[] = []
    const table = createCloseTable(
      (code) => {
        asked.push(code)
        return asked.length % 2 === 0 ? undefined : { next: 'fail', why: 'auth' }
      },
      () => expect.unreachable(),
    )
    expect(table?.(4000)).toEqual({ next: 'fail', why: 'auth' })
    expect(table?.(4001)).toBeUndefined()
    expect(table?.(4000)).toEqual({ next: 'fail', why: 'auth' })
    expect(table?.(4001)).toBeUndefined()
    expect(asked).toEqual([4000, 4001])
  })

  it('[CODE-10] that throws is reported, and leaves the code to the standard table', () => {
    const errors: SyncError[] = []
    const cause = new Error('no such code')
    const table = createCloseTable(
      () => {
        throw cause
      },
      (error) => errors.push(error),
    )
    expect(classifyCloseCode(1008, table)).toEqual(notAllowed)
    expect(classifyCloseCode(1008, table)).toEqual(notAllowed)
    expect(errors).toMatchObject([{ code: 'handler-threw', cause }])
  })

  it('[CODE-10] is none where the protocol has none', () => {
    expect(createCloseTable(undefined, () => expect.unreachable())).toBeUndefined()
  })
})
