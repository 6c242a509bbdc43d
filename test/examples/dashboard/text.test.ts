import type { ConnectionStatus } from 'statewire'
import { describe, expect, it } from 'vitest'
import {
  countText,
  duration,
  etaText,
  lastSyncText,
  statusDetail,
  statusWords,
  workerText,
} from '../../../examples/dashboard/page/text.js'

const now = 1_700_000_000_000

const cause = { code: 'network', message: 'The server could not be reached.' } as const

function reconnecting(attempt: number, retryAt: number | null): ConnectionStatus {
  return { state: 'reconnecting', attempt, maxAttempts: 10, retryAt, cause }
}

const failed: ConnectionStatus = {
  state: 'failed',
  error: { code: 'attempts-exhausted', message: 'Max reconnection attempts reached.', cause },
}

describe('the words of a status', () => {
  it.each<[ConnectionStatus, string]>([
    [{ state: 'connected', since: now }, 'Synced'],
    [{ state: 'disconnected' }, 'Offline'],
    [{ state: 'connecting' }, 'Connecting…'],
    [reconnecting(3, now), 'Reconnecting (3)…'],
    [failed, 'Failed'],
  ])('[DEMO-1] %o is "%s"', (status, words) => {
    expect(statusWords(status)).toBe(words)
  })

  it.each<[ConnectionStatus, string]>([
    [{ state: 'connected', since: now }, ''],
    [{ state: 'connecting' }, ''],
    [reconnecting(1, now + 4_001), 'The server could not be reached. Next attempt in 5s.'],
    [reconnecting(1, now + 1), 'The server could not be reached. Next attempt in 1s.'],
    [reconnecting(1, now), 'The server could not be reached. Trying now.'],
    [reconnecting(1, now - 9), 'The server could not be reached. Trying now.'],
    [reconnecting(1, null), 'The server could not be reached. Trying now.'],
    [failed, 'Max reconnection attempts reached. Connect to try again.'],
  ])('[DEMO-1] beside %o stands "%s"', (status, detail) => {
    expect(statusDetail(status, now)).toBe(detail)
  })

  it('[DEMO-1] offline says that others go on without us', () => {
    expect(statusDetail({ state: 'disconnected' }, now)).toContain('not shown')
  })
})

it.each([
  [undefined, 'never'],
  [now, 'now'],
  [now - 999, 'now'],
  [now + 60_000, 'now'],
  [now - 1_000, '1s ago'],
  [now - 12_999, '12s ago'],
  [now - 59_999, '59s ago'],
  [now - 60_000, '1m ago'],
  [now - 125_000, '2m 5s ago'],
  [now - 3_600_000, '1h ago'],
  [now - 12_000_000, '3h 20m ago'],
  [now - 100 * 3_600_000, '100h ago'],
])('[DEMO-2] the last message of %s came: %s', (time, text) => {
  expect(lastSyncText(time, now)).toBe(`Last sync: ${text}`)
})

it.each([
  [undefined, ''],
  [0, ''],
  [-3, ''],
  [Number.NaN, ''],
  [0.2, 'ETA: 1s'],
  [45, 'ETA: 45s'],
  [59.5, 'ETA: 1m'],
  [125, 'ETA: 2m 5s'],
])('[DEMO-4] %s seconds left are "%s"', (seconds, text) => {
  expect(etaText(seconds)).toBe(text)
})

it.each([
  [{ processedCount: 247, totalCount: 1000, progress: 0.247 }, '247/1000'],
  [{ processedCount: 12, totalCount: 10, progress: 1 }, '12/10'],
  [{ processedCount: 2.5, totalCount: 9.75, progress: 0.3 }, '3/10'],
  [{ processedCount: 0, totalCount: 0, progress: 0 }, '0/0'],
  [{ progress: 0.426 }, '43%'],
  [{ processedCount: 7, totalCount: undefined, progress: 0.5 }, '50%'],
])('[DEMO-4] a shoot of %o counts as %s', (shoot, text) => {
  expect(countText(shoot)).toBe(text)
})

it.each([
  [{ state: 'idle' }, 'The worker has not run yet.'],
  [{ state: 'working', environment: 'staging' }, 'At work in staging.'],
  [{ state: 'finished', imagesProcessed: 60, durationMs: 65_900 }, 'Processed 60 images in 1m 5s.'],
  [{ state: 'failed', message: 'The worker was stopped' }, 'Gave up: The worker was stopped.'],
] as const)('says of a worker %o: "%s"', (worker, text) => {
  expect(workerText(worker)).toBe(text)
})

it('gives no more than two units of a duration', () => {
  expect([0, 59.9, 60, 61, 3_599, 3_600, 3_661].map(duration)).toEqual([
    '0s',
    '59s',
    '1m',
    '1m 1s',
    '59m 59s',
    '1h',
    '1h 1m',
  ])
})
