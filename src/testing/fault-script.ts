import type { Clock, TimerHandle } from '../base/clock.js'
import type { RawFrame } from '../schemas/message.js'
import type { FakeSocket } from './fake-socket.js'
import type { AttemptScript } from './fake-peer.js'
import type { FakeTransport } from './fake-transport.js'
import { testingMisuse } from './misuse.js'

/** A fault that happens once. */
export type MomentaryFault =
  /** Every connection breaks off (1006). */
  | { readonly fault: 'drop' }
  /** The server closes every connection. */
  | { readonly fault: 'close'; readonly closeCode: number; readonly reason?: string }
  /** The server sends a frame as it is, on every connection. */
  | { readonly fault: 'frame'; readonly frame: RawFrame }

/** A fault that lasts for `forMs`; without `forMs` until the script is ended. */
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
  /** The server takes nothing from the network. */
  | { readonly fault: 'stopReading' }
)

/** One line of a script: a fault, and how long after the script's start it begins. */
export type FaultStep = { readonly atMs: number } & (MomentaryFault | LastingFault)

/** The faults of a network over time. */
export type FaultScript = readonly FaultStep[]

/**
 * Plays a script against a fake network from now on, timed by the clock. Returns the function that
 * ends the script and repairs the network. While the script plays, it decides what the network's
 * peer does. Where two faults contradict each other, the one that began last counts.
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
  const player = new FaultPlayer(network, clock)
  player.play(script)
  return () => player.end()
}

class FaultPlayer {
  readonly #network: Pick<FakeTransport, 'peer' | 'sockets'>
  readonly #clock: Clock
  readonly #timers = new Set<TimerHandle>()
  /** The lasting faults that have begun and not ended, in the order in which they began. */
  readonly #active: LastingFault[] = []

  constructor(network: Pick<FakeTransport, 'peer' | 'sockets'>, clock: Clock) {
    this.#network = network
    this.#clock = clock
  }

  play(script: FaultScript): void {
    this.#network.peer.plays((socket) => this.#answer(socket))
    for (const step of script) this.#after(step.atMs, () => this.#begin(step))
  }

  end(): void {
    for (const timer of this.#timers) this.#clock.clearTimeout(timer)
    this.#timers.clear()
    this.#active.length = 0
    this.#applyActive()
    this.#network.peer.accepts()
  }

  #after(delayMs: number, act: () => void): void {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, delayMs)
    this.#timers.add(timer)
  }

  #begin(step: FaultStep): void {
    switch (step.fault) {
      case 'drop':
        for (const socket of this.#openSockets()) socket.drops()
        return
      case 'close':
        for (const socket of this.#openSockets()) socket.closes(step.closeCode, step.reason)
        return
      case 'frame':
        for (const socket of this.#openSockets()) socket.sendsRaw(step.frame)
        return
      default:
        this.#beginLasting(step)
    }
  }

  #beginLasting(fault: LastingFault): void {
    this.#active.push(fault)
    this.#applyActive()
    if (fault.fault === 'unreachable') for (const socket of this.#openSockets()) socket.drops()
    if (fault.forMs === undefined) return
    this.#after(fault.forMs, () => {
      this.#active.splice(this.#active.indexOf(fault), 1)
      this.#applyActive()
    })
  }

  /** Makes the peer and its open connections behave as the active faults say. */
  #applyActive(): void {
    const { peer } = this.#network
    if (this.#isActive('ignorePings')) peer.ignoresPings()
    else peer.answersPings()
    if (this.#isActive('neverClose')) peer.neverCloses()
    else peer.closesCleanly()
    for (const socket of this.#openSockets()) this.#applyTo(socket)
  }

  #applyTo(socket: FakeSocket): void {
    if (this.#isActive('blackhole')) socket.goesSilent()
    else socket.speaksAgain()
    if (this.#isActive('stopReading')) socket.stopsReading()
    else socket.readsAgain()
  }

  /** Answers a new attempt as the active faults say. */
  #answer(socket: FakeSocket): void {
    const answer = this.#active.flatMap((fault) => answerUnder(fault) ?? []).at(-1)
    if (answer === undefined) socket.accepts()
    else answer(socket)
    if (socket.isOpen) this.#applyTo(socket)
  }

  #isActive(kind: LastingFault['fault']): boolean {
    return this.#active.some(({ fault }) => fault === kind)
  }

  #openSockets(): FakeSocket[] {
    return this.#network.sockets.filter(({ isOpen }) => isOpen)
  }
}

/** How a peer answers attempts during a fault; `undefined` if the fault does not concern attempts. */
function answerUnder(fault: LastingFault): AttemptScript | undefined {
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
    throw testingMisuse(`a "${step.fault}" cannot be at, or last for, ${ms} ms`)
  }
}
