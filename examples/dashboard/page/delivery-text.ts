import type { OutboxState, SendOutcome, WaitingMessage } from 'statewire'
import { kull } from 'statewire/kull'
import * as z from 'zod'
import type { SentReport } from './sent-reports.js'
import { countText } from './text.js'

/** How many operations wait, in words; empty if none does. */
export function queuedText(depth: number): string {
  if (depth === 0) return ''
  return depth === 1 ? '1 operation queued' : `${depth.toLocaleString('en')} operations queued`
}

/** The state of delivery on the connection. */
export function deliveryStateText(delivery: OutboxState['delivery']): string {
  switch (delivery) {
    case 'none':
    case 'offline':
      return 'offline'
    case 'greeting':
      return 'greeting…'
    case 'plain':
      return 'plain'
    case 'resuming':
      return 'resuming…'
    case 'live':
      return 'live'
    case 'draining':
      return 'server is leaving'
    default:
      return delivery satisfies never
  }
}

/** Which tab sends the queued messages. */
export function ownerText({ isOwner }: OutboxState): string {
  return isOwner ? 'This tab sends' : 'Another tab sends'
}

/** Whether queued messages survive the end of the tab. */
export function durableText({ isDurable }: OutboxState): string {
  return isDurable ? 'survives a reload' : 'in memory only'
}

/** The outcome of a message, in words. */
export function outcomeText(outcome: SendOutcome | undefined, isDurable?: boolean): string {
  if (outcome === undefined) return isDurable === true ? 'waiting, kept' : 'waiting'
  switch (outcome.outcome) {
    case 'delivered':
      return outcome.possibleDuplicate === true ? 'delivered, perhaps twice' : 'delivered'
    case 'sent':
      return 'sent'
    case 'refused':
      return `refused: ${outcome.code}`
    case 'notSent':
      return notSentText(outcome.reason)
    case 'unknown':
      return outcome.reason === 'aborted' ? 'taken back on its way' : `unknown: ${outcome.reason}`
    default:
      return outcome satisfies never
  }
}

function notSentText(reason: Extract<SendOutcome, { outcome: 'notSent' }>['reason']): string {
  if (reason === 'aborted') return 'taken back'
  if (reason === 'replaced') return 'replaced by a later one'
  return `not sent: ${reason}`
}

/** The content of a queued message. */
export function aboutText({ type, payload }: Pick<WaitingMessage, 'type' | 'payload'>): {
  readonly name: string
  readonly count: string
} {
  const progress = z.safeParse(kull.send.UPDATE_PROGRESS, payload)
  if (type !== 'UPDATE_PROGRESS' || !progress.success) return { name: type, count: '' }
  const { shootId, progress: share = 0, ...counts } = progress.data
  return {
    name: shootId === '' ? 'without a name' : shootId,
    count: countText({ ...counts, progress: share }),
  }
}

/**
 * The queued messages that this page has no receipt of: another tab sent them, or this one before a
 * reload.
 */
export function waitingOfOthers(
  waiting: readonly WaitingMessage[],
  own: readonly SentReport[],
): readonly WaitingMessage[] {
  const known = new Set(own.map(({ progress }) => JSON.stringify(aboutOf(progress))))
  return waiting.filter((message) => !known.has(JSON.stringify(aboutOf(message.payload))))
}

// The id of a shoot is unique, and each step of it is reported once.
function aboutOf(payload: unknown): unknown {
  const progress = z.safeParse(kull.send.UPDATE_PROGRESS, payload)
  return progress.success ? [progress.data.shootId, progress.data.processedCount] : payload
}
