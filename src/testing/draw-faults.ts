import type { Random } from '../base/clock.js'
import { assertOption } from '../base/errors.js'
import type { RawFrame } from '../schemas/message.js'
import type { FaultScript, FaultStep } from './fault-script.js'

/** Options of {@link drawFaultScript}. */
export interface FaultScriptOptions {
  /** When all faults have ended and the network works again, in ms after the start. */
  readonly durationMs: number
  /** The number of faults. Default 8. */
  readonly count?: number
  /** The kinds of faults to draw from. Default: all. */
  readonly faults?: readonly FaultStep['fault'][]
  /** The codes of `close` and `refuse`. Default: codes after which a client reconnects. */
  readonly closeCodes?: readonly number[]
  /** The statuses of `reject`. Default: statuses after which a client retries. */
  readonly statuses?: readonly number[]
}

/** Every kind of {@link FaultStep}. */
export const faultKinds = [
  'drop',
  'close',
  'frame',
  'blackhole',
  'unreachable',
  'reject',
  'refuse',
  'ignorePings',
  'neverClose',
  'stopReading',
] as const satisfies readonly FaultStep['fault'][]

const oddFrames: readonly RawFrame[] = [
  '',
  '{',
  'null',
  '[]',
  '{"type":7}',
  '{"type":"NOT_HEARD_OF"}',
  new Uint8Array([0, 255]),
]

/**
 * Draws a script of random faults. The same random numbers give the same script. After
 * `durationMs` every fault has ended.
 *
 * @example
 * const script = drawFaultScript(createSeededRandom(7), { durationMs: 600_000 })
 */
export function drawFaultScript(random: Random, options: FaultScriptOptions): FaultScript {
  const { count = 8 } = options
  return inOrder(Array.from({ length: count }, () => drawFault(random, options)))
}

/** Sorts steps by the time at which they begin. @internal */
export function inOrder(steps: readonly FaultStep[]): FaultScript {
  return [...steps].sort((left, right) => left.atMs - right.atMs)
}

/** Draws one step from at most four random numbers. @internal */
export function drawFault(random: Random, options: FaultScriptOptions): FaultStep {
  const { durationMs, faults = faultKinds } = options
  const { closeCodes = [1001, 1012, 1013, 4000], statuses = [429, 500, 502, 503] } = options

  function pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(random() * items.length)]
    assertOption(item !== undefined, 'nothing to draw a fault from')
    return item
  }

  const atMs = Math.floor(random() * durationMs)
  const forMs = Math.floor(random() * (durationMs - atMs))
  const fault = pick(faults)
  switch (fault) {
    case 'drop':
      return { atMs, fault }
    case 'close':
      return { atMs, fault, closeCode: pick(closeCodes) }
    case 'frame':
      return { atMs, fault, frame: pick(oddFrames) }
    case 'reject':
      return { atMs, forMs, fault, status: pick(statuses) }
    case 'refuse':
      return { atMs, forMs, fault, closeCode: pick(closeCodes) }
    case 'blackhole':
    case 'unreachable':
    case 'ignorePings':
    case 'neverClose':
    case 'stopReading':
      return { atMs, forMs, fault }
    default:
      return fault satisfies never
  }
}
