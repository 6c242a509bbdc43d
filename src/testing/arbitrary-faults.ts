import * as fc from 'fast-check'
import { drawFault, type FaultScriptOptions, inOrder } from './draw-faults.js'
import type { FaultScript } from './fault-script.js'

/**
 * Fault scripts, of up to `count` steps, that shrink to fewer, earlier and shorter faults.
 *
 * @example
 * fc.property(arbitraryFaultScript({ durationMs: 600_000 }), (script) => { … })
 */
export function arbitraryFaultScript(options: FaultScriptOptions): fc.Arbitrary<FaultScript> {
  // Not fc.double, which is even over the doubles there are, and most of those are next to nothing.
  const chance = fc.nat(2 ** 31 - 1).map((value) => value / 2 ** 31)
  const step = fc.tuple(chance, chance, chance, chance).map((chances) => {
    const left = [...chances]
    return drawFault(() => left.shift() ?? 0, options)
  })
  return fc.array(step, { maxLength: options.count ?? 8, size: 'max' }).map(inOrder)
}
