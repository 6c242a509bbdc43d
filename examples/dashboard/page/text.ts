import type { ConnectionStatus } from 'statewire'
import type { NotificationPermission } from 'statewire/kull'
import type { SessionStatus } from 'statewire/session'
import type { WorkerStatus } from '../server/controls.js'

/** The words for a status. */
export function statusWords(status: ConnectionStatus): string {
  switch (status.state) {
    case 'connected':
      return 'Synced'
    case 'disconnected':
      return 'Offline'
    case 'connecting':
      return 'Connecting…'
    case 'reconnecting':
      return `Reconnecting (${status.attempt})…`
    case 'failed':
      return 'Failed'
    default:
      return status satisfies never
  }
}

/** Details of a status: when the next attempt is, and why the connection was lost. */
export function statusDetail(status: ConnectionStatus, nowMs: number): string {
  switch (status.state) {
    case 'connected':
      return ''
    case 'disconnected':
      return 'Changes on other devices are not shown.'
    case 'connecting':
      return ''
    case 'reconnecting':
      return `${status.cause.message} ${nextAttempt(status.retryAt, nowMs)}`
    case 'failed':
      return `${status.error.message} Connect to try again.`
    default:
      return status satisfies never
  }
}

function nextAttempt(retryAt: number | null, nowMs: number): string {
  if (retryAt === null) return 'Trying now.'
  const seconds = Math.ceil((retryAt - nowMs) / 1000)
  return seconds > 0 ? `Next attempt in ${seconds}s.` : 'Trying now.'
}

/** The state of the sign-in, in a few words. */
export function sessionWords(status: SessionStatus): string {
  switch (status.state) {
    case 'loading':
      return 'One moment…'
    case 'signedOut':
      return 'Signed out'
    case 'linking':
      return 'Signing in'
    case 'signedIn':
      return 'Signed in'
    default:
      return status satisfies never
  }
}

/** Details of the sign-in: the reason, the code, or the user. */
export function sessionDetail(status: SessionStatus): string {
  switch (status.state) {
    case 'loading':
      return ''
    case 'signedOut':
      return status.message ?? ''
    case 'linking':
      return `Code ${status.code}`
    case 'signedIn':
      return userText(status.user)
    default:
      return status satisfies never
  }
}

/** A user's name, or the e-mail address of a user without a name. */
export function userText(user: {
  readonly email: string
  readonly firstName?: string
  readonly lastName?: string
}): string {
  return [user.firstName, user.lastName].filter(Boolean).join(' ') || user.email
}

/** Whether the browser shows notifications; empty if it can still be asked, or has none. */
export function permissionText(permission: NotificationPermission): string {
  switch (permission) {
    case 'granted':
      return 'Notifications on'
    case 'denied':
      return 'Notifications blocked'
    case 'default':
    case 'unsupported':
      return ''
    default:
      return permission satisfies never
  }
}

/** `Last sync: 12s ago`. If the clock was set back, 0 s. */
export function lastSyncText(lastSyncTime: number | undefined, nowMs: number): string {
  if (lastSyncTime === undefined) return 'Last sync: never'
  const ms = nowMs - lastSyncTime
  return ms < 1000 ? 'Last sync: now' : `Last sync: ${duration(ms / 1000)} ago`
}

/** `ETA: 45s`; empty if the remaining time is unknown or 0. */
export function etaText(etaSeconds: number | undefined): string {
  if (etaSeconds === undefined || !(etaSeconds > 0)) return ''
  return `ETA: ${duration(Math.ceil(etaSeconds))}`
}

/** `247/1000`, or a percentage if the sender gives no counts. */
export function countText(shoot: {
  processedCount?: number | undefined
  totalCount?: number | undefined
  progress: number
}): string {
  const { processedCount, totalCount, progress } = shoot
  if (processedCount === undefined || totalCount === undefined) {
    return `${Math.round(progress * 100)}%`
  }
  return `${whole(processedCount)}/${whole(totalCount)}`
}

/** What the worker does, in a sentence. */
export function workerText(worker: WorkerStatus): string {
  switch (worker.state) {
    case 'idle':
      return 'The worker has not run yet.'
    case 'working':
      return `At work in ${worker.environment}.`
    case 'finished':
      return `Processed ${worker.imagesProcessed} images in ${duration(worker.durationMs / 1000)}.`
    case 'failed':
      return `Gave up: ${worker.message}.`
    default:
      return worker satisfies never
  }
}

/** Whole seconds, minutes and hours, at most two units: `45s`, `2m 5s`, `3h 20m`. */
export function duration(seconds: number): string {
  const total = Math.floor(seconds)
  if (total < 60) return `${total}s`
  const minutes = Math.floor(total / 60)
  if (minutes < 60) return pair(minutes, 'm', total % 60, 's')
  return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`
}

// The server may send a count that is not a whole number.
function whole(count: number): string {
  return String(Math.round(count))
}
