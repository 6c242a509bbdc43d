import { createActor } from 'xstate'
import type { LoadSnapshot } from '../../../src/machines/coordinator/actors.js'
import { createCoordinatorMachine } from '../../../src/machines/coordinator/machine.js'
import type { Board, BoardDefinition } from '../../state/board.js'
import { createBench } from '../../state/board.js'

/** One load that was asked for. */
export interface Load {
  readonly signal: AbortSignal
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: unknown) => void
}

/** Options of {@link createCoordinator}. */
export interface CoordinatorOptions {
  readonly definition?: Partial<BoardDefinition>
  /** Default: a load that waits to be settled by hand; `false`: none. */
  readonly loadSnapshot?: LoadSnapshot | false
  /** Default: waits take as long as they can. */
  readonly random?: () => number
  /** Called at each change, after it was noted. */
  readonly onChanged?: () => void
}

/** A real coordinator actor on a clock that is driven by hand. */
export function createCoordinator(options: CoordinatorOptions = {}) {
  const bench = createBench(options.definition)
  const loads: Load[] = []
  const changes: Board[] = []
  const loadByHand: LoadSnapshot = ({ signal }) =>
    new Promise((resolve, reject) => {
      loads.push({ signal, resolve, reject })
    })
  const { loadSnapshot = loadByHand, random = () => 1 } = options
  const actor = createActor(createCoordinatorMachine(), {
    clock: bench.clock,
    input: {
      folding: bench.folding,
      clock: bench.clock,
      random,
      loadSnapshot: loadSnapshot === false ? undefined : loadSnapshot,
      onChanged() {
        changes.push(bench.folding.state)
        options.onChanged?.()
      },
    },
  })
  actor.start()
  return {
    ...bench,
    actor,
    loads,
    /** The states that `onChanged` was called with. */
    changes,
    /** The state of each region. */
    value: () => actor.getSnapshot().value,
    /** Runs all pending promise callbacks. */
    settle: () => bench.clock.advanceAsync(0),
  }
}
