import { type ActorRef, fromCallback, fromTransition, type Snapshot } from 'xstate'
import type { Clock } from '../../base/clock.js'
import { type Settled, withDeadline } from '../../base/deadline.js'
import { SyncError } from '../../base/errors.js'
import type { Folding } from '../../state/folding.js'
import type { CallbackScope, NoEvent } from '../callback-scope.js'

/** What `loadSnapshot` is told. */
export interface LoadInfo {
  /** Aborted when the result is no longer wanted. */
  readonly signal: AbortSignal
}

/** Loads the state that messages alone do not give: returns a value or a promise, or throws. */
export type LoadSnapshot = (info: LoadInfo) => unknown

/** A state was published. */
export interface StateCommitted {
  readonly type: 'state.committed'
  readonly state: object
}

/**
 * The published state as an actor, so that inspectors and other actors see it. The folding feeds
 * it, not the machine: a message through a machine costs ten times as much.
 */
export const stateActor = fromTransition<object, StateCommitted, never, { readonly state: object }>(
  (_, event) => event.state,
  ({ input }) => input.state,
)

/** What the watch on the folding and the loader tell the coordinator machine. */
export interface ReportedEvent {
  readonly type: 'expiry.scheduled' | 'snapshot.loaded' | 'snapshot.failed'
}

/** What {@link watchActor} needs. */
export interface WatchInput {
  readonly folding: Folding
  readonly state: ActorRef<Snapshot<unknown>, StateCommitted>
}

/** Watches the folding: published states go to the state actor, the time of an expiry to the machine. */
export const watchActor = fromCallback<NoEvent, WatchInput>(
  ({ input: { folding, state }, sendBack }: CallbackScope<WatchInput, ReportedEvent>) =>
    folding.watch({
      committed: (committed) => state.send({ type: 'state.committed', state: committed }),
      expiryScheduled: () => sendBack({ type: 'expiry.scheduled' }),
    }),
)

/** What a change to the state needs. */
export interface FoldingPort {
  readonly folding: Folding
  /**
   * Called when the state was changed by something other than the messages of a batch. The change
   * includes what the open batch held by then.
   */
  readonly onChanged: () => void
}

/**
 * Makes a change to the state, and calls `onChanged` if there was one. An error of `onChanged` is
 * reported: none may reach the actor system, where it would stop the machine.
 */
export function changeState<T>({ folding, onChanged }: FoldingPort, change: () => T): T {
  const before = folding.state
  const result = change()
  if (folding.state === before) return result
  try {
    onChanged()
  } catch (cause) {
    folding.report(new SyncError('handler-threw', 'onChanged threw', { cause }))
  }
  return result
}

/** What {@link loadActor} needs. */
export interface LoadInput extends FoldingPort {
  /** Loads the state that messages alone do not give. Default: nothing is loaded. */
  readonly loadSnapshot?: LoadSnapshot | undefined
  readonly clock: Clock
}

// Longer than a slow answer takes, and short enough for another try to be worth it.
const LOAD_LIMIT_MS = 10_000

/**
 * One load of the snapshot, begun when the actor starts. Where the actor stops before the load has
 * settled, the load is aborted and its result ignored.
 */
export const loadActor = fromCallback<NoEvent, LoadInput>(
  ({ input, sendBack }: CallbackScope<LoadInput, ReportedEvent>) => {
    const { folding, loadSnapshot, clock } = input
    const controller = new AbortController()
    folding.beginLoad()
    void withDeadline({ clock, limitMs: LOAD_LIMIT_MS, signal: controller.signal }, (signal) =>
      loadSnapshot?.({ signal }),
    ).then((settled) => {
      if (controller.signal.aborted) return
      const isLoaded = applyLoaded(input, settled)
      sendBack({ type: isLoaded ? 'snapshot.loaded' : 'snapshot.failed' })
    })
    return () => controller.abort()
  },
)

function applyLoaded(input: LoadInput, settled: Settled<unknown>): boolean {
  const { folding } = input
  if (settled.kind === 'value') {
    return changeState(input, () => folding.applySnapshot(settled.value))
  }
  const [what, cause] =
    settled.kind === 'threw'
      ? ['threw or rejected', settled.error]
      : [`gave nothing within ${LOAD_LIMIT_MS} ms`]
  folding.report(new SyncError('snapshot-failed', `loadSnapshot ${what}`, { cause }))
  return false
}
