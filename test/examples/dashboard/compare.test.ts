import { expect, it } from 'vitest'
import { findDifferences } from '../../../examples/dashboard/once/compare.js'

const worker = {
  shoots: {
    harbour: { status: 'completed', processedCount: 8, totalCount: 8 },
    orchard: { status: 'failed', processedCount: 2, totalCount: 8 },
  },
  creditBalance: 490,
}
const device = { deviceId: 'mac', ...worker }

it('[DEMO-21] finds nothing where a device saw what the worker left', () => {
  expect(findDifferences(worker, device)).toEqual([])
  const more = { ...worker.shoots.harbour, progress: 1, eta: 0 }
  expect(
    findDifferences(worker, { ...device, shoots: { ...worker.shoots, harbour: more } }),
  ).toEqual([])
})

it.each([
  ['a status', { status: 'processing', processedCount: 8, totalCount: 8 }, 'processing 8/8'],
  ['a count', { status: 'completed', processedCount: 7, totalCount: 8 }, 'completed 7/8'],
  ['a total', { status: 'completed', processedCount: 8, totalCount: 9 }, 'completed 8/9'],
  ['a missing count', { status: 'completed', totalCount: 8 }, 'completed ?/8'],
])('[DEMO-21] finds %s that differs', (_what, harbour, seen) => {
  expect(findDifferences(worker, { ...device, shoots: { ...worker.shoots, harbour } })).toEqual([
    `mac saw harbour as ${seen}, the worker left it as completed 8/8`,
  ])
})

it('[DEMO-21] finds shoots that only one of them knows', () => {
  const { harbour } = worker.shoots
  expect(findDifferences(worker, { ...device, shoots: { harbour } })).toEqual([
    'mac saw orchard as nothing, the worker left it as failed 2/8',
  ])
  const ghost = { status: 'queued', processedCount: 0, totalCount: 1 }
  expect(findDifferences(worker, { ...device, shoots: { ...worker.shoots, ghost } })).toEqual([
    'mac saw ghost as queued 0/1, the worker left it as nothing',
  ])
})

it('[DEMO-21] finds a balance that differs', () => {
  expect(findDifferences(worker, { ...device, creditBalance: 491 })).toEqual([
    'mac saw 491 credits, the worker left 490',
  ])
})
