import * as fc from 'fast-check'
import { drawFault, type FaultScriptOptions, inOrder } from './draw-faults.js'
import type { FaultScript } from './fault-script.js'

/**
 * Draws fault scripts of up to `count` steps. They shrink to fewer, earlier and shorter faults.
 *
 * @example
 * fc.property(arbitraryFaultScript({ durationMs: 600_000 }), (script) => { … })
 */
export function arbitraryFaultScript(options: FaultScriptOptions): fc.Arbitrary<FaultScript> {
  // fc.double draws evenly from all doubles, and most doubles from 0 to 1 are close to 0.
  const chance = fc.nat(2 ** 31 - 1).map((value) => value / 2 ** 31)
  const step = fc.tuple(chance, chance, chance, chance).map((chances) => {
    const remaining = [...chances]
    return drawFault(() => remaining.shift() ?? 0, options)
  })
  return fc.array(step, { maxLength: options.count ?? 8, size: 'max' }).map(inOrder)
}
