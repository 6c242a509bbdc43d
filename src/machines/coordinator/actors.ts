import { type ActorRef, fromCallback, fromTransition, type Snapshot } from 'xstate'
import type { Clock } from '../../base/clock.js'
import { type Settled, withDeadline } from '../../base/deadline.js'
import { SyncError } from '../../base/errors.js'
import type { Folding } from '../../state/folding.js'

/** What `loadSnapshot` is told. */
export interface LoadInfo {
  /** Aborted when the result is no longer wanted. */
  readonly signal: AbortSignal
}

/** Loads the state that messages alone do not give; a value, a promise, or a throw. */
export type LoadSnapshot = (info: LoadInfo) => unknown

/** A state was published. */
export interface StateCommitted {
  readonly type: 'state.committed'
  readonly state: object
}

/**
 * The published state as an actor, so that inspectors and other actors see it. It is fed by the
 * folding: a message through a machine costs ten times as much.
 */
export const stateActor = fromTransition<object, StateCommitted, never, { readonly state: object }>(
  (_, event) => event.state,
  ({ input }) => input.state,
)

/** What the coordinator machine asks of the folding. */
export type FoldingCommand =
  | { readonly type: 'openConnection' }
  | { readonly type: 'dropConnection' }
  | { readonly type: 'removeUnconfirmed' }
  | { readonly type: 'removeExpired' }
  /** Loads the snapshot; a load that is under way is given up. */
  | { readonly type: 'load'; readonly generation: number }
  | { readonly type: 'abandonLoad' }
  | { readonly type: 'clear' }

/** What the folding tells the coordinator machine. */
export type FoldingEvent =
  | { readonly type: 'expiry.scheduled' }
  | { readonly type: 'snapshot.loaded'; readonly generation: number }
  | { readonly type: 'snapshot.failed'; readonly generation: number }

/** What {@link foldingActor} needs. */
export interface FoldingActorInput {
  readonly folding: Folding
  readonly loadSnapshot?: LoadSnapshot | undefined
  readonly clock: Clock
  readonly onChanged: () => void
  readonly state: ActorRef<Snapshot<unknown>, StateCommitted>
}

// Longer than a slow answer takes, and short enough to be worth another try.
const LOAD_LIMIT_MS = 10_000

/**
 * The folding and the loader as an actor: code of the user's runs behind it, never in the machine,
 * and nothing that such code does reaches the actor system.
 */
export const foldingActor = fromCallback<FoldingCommand, FoldingActorInput>(
  ({ input, sendBack, receive }) => {
    const { folding, loadSnapshot, clock, onChanged, state } = input
    let loading: AbortController | undefined

    /** Makes a change and lets whoever asked know if there was one. */
    function change<T>(make: () => T): T {
      const before = folding.state
      const made = make()
      if (folding.state === before) return made
      try {
        onChanged()
      } catch (cause) {
        folding.report(new SyncError('handler-threw', 'onChanged threw', { cause }))
      }
      return made
    }

    function abandonLoad(): void {
      folding.abandonLoad()
      loading?.abort()
      loading = undefined
    }

    async function load(generation: number): Promise<void> {
      abandonLoad()
      const mine = new AbortController()
      loading = mine
      folding.beginLoad()
      const settled = await withDeadline(
        { clock, limitMs: LOAD_LIMIT_MS, signal: mine.signal },
        (signal) => loadSnapshot?.({ signal }),
      )
      // Another may have begun by now.
      if (mine.signal.aborted) return
      const isLoaded = takeUp(settled)
      folding.abandonLoad()
      sendBack({ type: isLoaded ? 'snapshot.loaded' : 'snapshot.failed', generation })
    }

    function takeUp(settled: Settled<unknown>): boolean {
      switch (settled.kind) {
        case 'value':
          return change(() => folding.applySnapshot(settled.value))
        case 'threw':
          reportFailure('loadSnapshot threw or rejected', settled.error)
          return false
        case 'late':
          reportFailure(`loadSnapshot gave nothing within ${LOAD_LIMIT_MS} ms`)
          return false
        case 'aborted':
          return false
        default:
          return settled satisfies never
      }
    }

    function reportFailure(message: string, cause?: unknown): void {
      folding.report(new SyncError('snapshot-failed', message, { cause }))
    }

    const unwatch = folding.watch({
      committed(committed) {
        state.send({ type: 'state.committed', state: committed })
      },
      expiryScheduled() {
        sendBack({ type: 'expiry.scheduled' })
      },
    })
    receive((command) => {
      switch (command.type) {
        case 'openConnection':
        case 'dropConnection':
        case 'removeUnconfirmed':
        case 'removeExpired':
        case 'clear':
          change(() => {
            folding[
              command.type === 'dropConnection'
                ? 'unconfirmPeers'
                : command.type === 'removeUnconfirmed'
                  ? 'removeUnconfirmedPeers'
                  : command.type
            ]()
          })
          break
        case 'load':
          void load(command.generation)
          break
        case 'abandonLoad':
          abandonLoad()
          break
        default:
          command satisfies never
      }
    })
    return () => {
      abandonLoad()
      unwatch()
    }
  },
)
