import type { OutboxState, Receipt, SendOutcome } from 'statewire'
import type { ShootProgress } from 'statewire/kull'
import { describe, expect, it } from 'vitest'
import {
  aboutText,
  durableText,
  deliveryStateText,
  outcomeText,
  ownerText,
  queuedText,
  waitingOfOthers,
} from '../../../examples/dashboard/page/delivery-text.js'
import { createSentReports } from '../../../examples/dashboard/page/sent-reports.js'

const outbox: OutboxState = {
  depth: 0,
  inFlight: 0,
  bytes: 0,
  oldestAt: undefined,
  isOwner: true,
  isDurable: true,
  delivery: 'live',
}

it('[DEMO-34] says how many operations wait', () => {
  expect([0, 1, 2, 1_000].map(queuedText)).toEqual([
    '',
    '1 operation queued',
    '2 operations queued',
    '1,000 operations queued',
  ])
})

it('[DEMO-34] says where the line stands, who sends, and what survives', () => {
  const states = ['offline', 'greeting', 'plain', 'resuming', 'live', 'draining', 'none'] as const
  expect(states.map(deliveryStateText)).toEqual([
    'offline',
    'greeting…',
    'plain',
    'resuming…',
    'live',
    'server is leaving',
    'offline',
  ])
  expect(ownerText(outbox)).toBe('This tab sends')
  expect(ownerText({ ...outbox, isOwner: false })).toBe('Another tab sends')
  expect(durableText(outbox)).toBe('survives a reload')
  expect(durableText({ ...outbox, isDurable: false })).toBe('in memory only')
})

it.each<[SendOutcome | undefined, string]>([
  [undefined, 'waiting'],
  [{ outcome: 'delivered' }, 'delivered'],
  [{ outcome: 'delivered', possibleDuplicate: true }, 'delivered, perhaps twice'],
  [{ outcome: 'sent' }, 'sent'],
  [{ outcome: 'refused', code: 'no-shoot-id' }, 'refused: no-shoot-id'],
  [{ outcome: 'notSent', reason: 'aborted', detail: '' }, 'taken back'],
  [{ outcome: 'notSent', reason: 'replaced', detail: '' }, 'replaced by a later one'],
  [{ outcome: 'notSent', reason: 'full', detail: '' }, 'not sent: full'],
  [{ outcome: 'unknown', reason: 'aborted' }, 'taken back on its way'],
  [{ outcome: 'unknown', reason: 'takenOver' }, 'unknown: takenOver'],
])('[DEMO-35] says of %o: %s', (outcome, words) => {
  expect(outcomeText(outcome)).toBe(words)
})

it('[DEMO-35] says of what waits whether it is kept', () => {
  expect(outcomeText(undefined, true)).toBe('waiting, kept')
  expect(outcomeText(undefined, false)).toBe('waiting')
})

it('[DEMO-36] says what a message in the queue is about, whatever it is', () => {
  const payload = { shootId: 'a', status: 'processing', processedCount: 1, totalCount: 5 }
  expect(aboutText({ type: 'UPDATE_PROGRESS', payload })).toEqual({ name: 'a', count: '1/5' })
  const nameless = { shootId: '', status: 'queued', progress: 0.5 }
  const about = aboutText({ type: 'UPDATE_PROGRESS', payload: nameless })
  expect(about).toEqual({ name: 'without a name', count: '50%' })
  expect(aboutText({ type: 'SUBSCRIBE', payload: undefined })).toEqual({
    name: 'SUBSCRIBE',
    count: '',
  })
})

describe('made-up shoots', () => {
  /** Reports of which the test says what becomes. */
  function createBench(limit = 8) {
    const sent: ShootProgress[] = []
    const settle: ((outcome: SendOutcome) => void)[] = []
    let changes = 0
    let shoots = 0
    const reports = createSentReports({
      send(progress) {
        sent.push(progress)
        let outcome: SendOutcome | undefined
        const settled = new Promise<SendOutcome>((resolve) => {
          settle.push((settledAs) => {
            outcome = settledAs
            resolve(settledAs)
          })
        })
        return {
          type: 'UPDATE_PROGRESS',
          get outcome() {
            return outcome
          },
          settled,
          durable: Promise.resolve(true),
          abort: () => undefined,
        } satisfies Receipt
      },
      makeName: () => `roll-${++shoots}`,
      limit,
      onChange: () => changes++,
    })
    return { reports, sent, settle, changes: () => changes }
  }

  it('[DEMO-35] begin, go on, and end with another', () => {
    const { reports, sent } = createBench()
    reports.reportProgress()
    for (let step = 0; step < 5; step++) reports.reportProgress()
    reports.reportShoot()
    expect(
      sent.map(({ shootId, status, processedCount }) => [shootId, status, processedCount]),
    ).toEqual([
      ...[1, 2, 3, 4].map((count) => ['roll-1', 'processing', count]),
      ['roll-1', 'completed', 5],
      ['roll-2', 'processing', 1],
      ['roll-3', 'processing', 1],
    ])
    reports.reportNameless()
    expect(sent.at(-1)?.shootId).toBe('')
  })

  it('[DEMO-35] are remembered with their receipts, the latest ones first', async () => {
    const { reports, settle, changes } = createBench(2)
    for (let shoot = 0; shoot < 3; shoot++) reports.reportShoot()
    expect(reports.latest.map(({ progress }) => progress.shootId)).toEqual(['roll-3', 'roll-2'])
    await Promise.resolve()
    expect(reports.latest.map(({ isDurable }) => isDurable)).toEqual([true, true])
    const before = changes()
    settle[2]?.({ outcome: 'delivered' })
    await Promise.resolve()
    expect(changes()).toBe(before + 1)
    expect(reports.latest[0]?.receipt.outcome).toEqual({ outcome: 'delivered' })
  })

  it('[DEMO-36] are told apart from what others wait with', () => {
    const { reports, sent } = createBench()
    reports.reportShoot()
    const message = (id: string, payload: unknown) => {
      return { id, type: 'UPDATE_PROGRESS', payload, acceptedAt: 1, isTransmitted: false }
    }
    const own = message('1', sent[0])
    const others = [message('2', { ...sent[0], processedCount: 2 }), message('3', 'what?')]
    expect(waitingOfOthers([own, ...others], reports.latest)).toEqual(others)
  })
})
