import type { Clock, TimerHandle } from '../base/clock.js'
import { SyncError } from '../base/errors.js'
import type { RawFrame } from '../schemas/message.js'
import type { FakeSocket } from './fake-actions.js'
import type { AttemptScript } from './fake-peer.js'
import type { FakeTransport } from './fake-transport.js'

/** Something that goes wrong at once and is over. */
export type MomentaryFault =
  /** Every connection breaks off (1006). */
  | { readonly fault: 'drop' }
  /** The server closes every connection. */
  | { readonly fault: 'close'; readonly closeCode: number; readonly reason?: string }
  /** The server sends a frame as it is, on every connection. */
  | { readonly fault: 'frame'; readonly frame: RawFrame }

/** Something that goes wrong for `forMs`, or for good where that is left out. */
export type LastingFault = {
  readonly forMs?: number
} /** Nothing arrives at either side, and attempts hang. */ & (
  | { readonly fault: 'blackhole' }
  /** Connections break off, and attempts fail at once. */
  | { readonly fault: 'unreachable' }
  /** Attempts are answered with an HTTP status; connections stay. */
  | { readonly fault: 'reject'; readonly status: number; readonly retryAfterMs?: number }
  /** Attempts are accepted and closed at once; connections stay. */
  | { readonly fault: 'refuse'; readonly closeCode: number; readonly reason?: string }
  /** Pings stay unanswered. */
  | { readonly fault: 'ignorePings' }
  /** Closing handshakes stay unanswered. */
  | { readonly fault: 'neverClose' }
  /** The server takes nothing off the wire. */
  | { readonly fault: 'stopReading' }
)

/** One line of a script: what goes wrong, and how long after the script's start. */
export type FaultStep = { readonly atMs: number } & (MomentaryFault | LastingFault)

/** What goes wrong over time. */
export type FaultScript = readonly FaultStep[]

/**
 * Plays a script against a fake network from now on, by the clock; gives the function that ends
 * it and mends everything. While it plays, the network's peer is the script's: what several faults
 * say about one thing, the last to begin decides.
 *
 * @example
 * playFaults(network, clock, [
 *   { atMs: 1_000, fault: 'drop' },
 *   { atMs: 5_000, fault: 'blackhole', forMs: 60_000 },
 * ])
 */
export function playFaults(
  network: Pick<FakeTransport, 'peer' | 'sockets'>,
  clock: Clock,
  script: FaultScript,
): () => void {
  for (const step of script) assertStep(step)
  const timers = new Set<TimerHandle>()
  const lasting: LastingFault[] = []
  const { peer } = network

  function at(delayMs: number, act: () => void): void {
    const timer = clock.setTimeout(() => {
      timers.delete(timer)
      act()
    }, delayMs)
    timers.add(timer)
  }

  function isUnderWay(kind: LastingFault['fault']): boolean {
    return lasting.some(({ fault }) => fault === kind)
  }

  function openSockets(): FakeSocket[] {
    return network.sockets.filter(({ isOpen }) => isOpen)
  }

  function impair(socket: FakeSocket): void {
    if (isUnderWay('blackhole')) socket.goesSilent()
    else socket.speaksAgain()
    if (isUnderWay('stopReading')) socket.stopsReading()
    else socket.readsAgain()
  }

  function applyLasting(): void {
    if (isUnderWay('ignorePings')) peer.ignoresPings()
    else peer.answersPings()
    if (isUnderWay('neverClose')) peer.neverCloses()
    else peer.closesCleanly()
    for (const socket of openSockets()) impair(socket)
  }

  function begin(step: FaultStep): void {
    switch (step.fault) {
      case 'drop':
        for (const socket of openSockets()) socket.drops()
        return
      case 'close':
        for (const socket of openSockets()) socket.closes(step.closeCode, step.reason)
        return
      case 'frame':
        for (const socket of openSockets()) socket.sendsRaw(step.frame)
        return
      default:
        beginLasting(step)
    }
  }

  function beginLasting(fault: LastingFault): void {
    lasting.push(fault)
    applyLasting()
    if (fault.fault === 'unreachable') for (const socket of openSockets()) socket.drops()
    if (fault.forMs === undefined) return
    at(fault.forMs, () => {
      lasting.splice(lasting.indexOf(fault), 1)
      applyLasting()
    })
  }

  function meet(socket: FakeSocket): void {
    const decisive = lasting.flatMap((fault) => describeAnswer(fault) ?? []).at(-1)
    if (decisive === undefined) socket.accepts()
    else decisive(socket)
    if (socket.isOpen) impair(socket)
  }

  peer.plays(meet)
  for (const step of script) at(step.atMs, () => begin(step))

  return () => {
    for (const timer of timers) clock.clearTimeout(timer)
    timers.clear()
    lasting.length = 0
    applyLasting()
    peer.accepts()
  }
}

function describeAnswer(fault: LastingFault): AttemptScript | undefined {
  switch (fault.fault) {
    case 'blackhole':
      return (socket) => socket.staysSilent()
    case 'unreachable':
      return (socket) => socket.isUnreachable()
    case 'reject':
      return (socket) => socket.rejects(fault)
    case 'refuse':
      return (socket) => socket.refuses(fault.closeCode, fault.reason)
    case 'ignorePings':
    case 'neverClose':
    case 'stopReading':
      return undefined
    default:
      return fault satisfies never
  }
}

function assertStep(step: FaultStep): void {
  const { atMs, forMs } = { forMs: 0, ...step }
  for (const ms of [atMs, forMs]) {
    if (Number.isFinite(ms) && ms >= 0) continue
    throw new SyncError('testing-misuse', `a "${step.fault}" cannot be at, or last for, ${ms} ms`)
  }
}
