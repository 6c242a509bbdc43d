import { type EventObject, fromCallback, fromPromise } from 'xstate'
import type {
  ApiFailure,
  ClearScope,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
  SessionPorts,
} from './ports.js'

/** Told when what was to be said to the server after the end has been said, or given up. */
export interface FarewellEvent {
  readonly type: 'farewell.over'
  readonly id: string
}

const broken: ApiFailure = { code: 'network', message: 'The request failed.' }

/**
 * The ports as actors. What a port runs is code of others: it gets a turn of its own, so that it
 * finds the machine at rest, and what it throws ends here, where it would end the actor.
 */
export function createSessionActors(ports: SessionPorts) {
  return {
    restore: shield<RestoreOutcome>((_, signal) => ports.restore(signal), { kind: 'none' }),
    requestLink: shield<OfferOutcome>((_, signal) => ports.requestLink(signal), {
      kind: 'failed',
      failure: broken,
    }),
    checkLink: shield<PollOutcome, { readonly code: string }>(
      ({ code }, signal) => ports.checkLink(code, signal),
      { kind: 'failed', failure: broken },
    ),
    adopt: shield<RestoreOutcome>((_, signal) => ports.adopt(signal), { kind: 'none' }),
    renew: shield<RenewOutcome>((_, signal) => ports.renew(signal), {
      kind: 'failed',
      failure: broken,
    }),
    clear: shield<undefined, { readonly scope: ClearScope }>(async ({ scope }) => {
      await ports.clear(scope)
      return undefined
    }, undefined),
    startSync: shield<undefined>(() => {
      ports.startSync()
      return undefined
    }, undefined),
    stopSync: shield<undefined>(() => {
      ports.stopSync()
      return undefined
    }, undefined),
    // Not a promise: it outlives the state that began it, and says when it can be let go of.
    farewell: fromCallback<EventObject, { readonly id: string }>(({ input: { id }, sendBack }) => {
      const controller = new AbortController()
      turn()
        .then(() => ports.revoke(controller.signal))
        .catch(() => undefined)
        .finally(() => {
          const over: FarewellEvent = { type: 'farewell.over', id }
          if (!controller.signal.aborted) sendBack(over)
        })
      return () => {
        controller.abort()
      }
    }),
  }
}

function shield<Output, Input = undefined>(
  run: (input: Input, signal: AbortSignal) => Output | PromiseLike<Output>,
  otherwise: Output,
) {
  return fromPromise<Output, Input>(async ({ input, signal }) => {
    await turn()
    // The state that asked may be gone already.
    if (signal.aborted) return otherwise
    try {
      return await run(input, signal)
    } catch {
      // Ports report what they are thrown themselves.
      return otherwise
    }
  })
}

function turn(): Promise<void> {
  return Promise.resolve()
}
