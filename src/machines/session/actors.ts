import { fromCallback, fromPromise } from 'xstate'
import type { NoEvent } from '../callback-scope.js'
import type { RevocationEvent } from './context.js'
import type {
  ClearScope,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
  SessionPorts,
} from './ports.js'

/** What every actor here gets. */
export interface PortInput {
  /** Gives the ports. A function, so that an inspector which prints the input does not show them. */
  readonly ports: () => SessionPorts
}

const nothingRestored = { kind: 'none' } as const
const requestFailed = {
  kind: 'failed',
  failure: { code: 'network', message: 'The request failed.' },
} as const

/**
 * The ports as actors. A port runs the user's code. It starts in a microtask of its own, when the
 * machine has finished its transition, and an exception does not reach the machine.
 */
export const sessionActors = {
  restore: fromPort<RestoreOutcome>(
    ({ ports }, signal) => ports().restore(signal),
    nothingRestored,
  ),
  requestLink: fromPort<OfferOutcome>(
    ({ ports }, signal) => ports().requestLink(signal),
    requestFailed,
  ),
  checkLink: fromPort<PollOutcome, PortInput & { readonly code: string }>(
    ({ ports, code }, signal) => ports().checkLink(code, signal),
    requestFailed,
  ),
  adopt: fromPort<RestoreOutcome>(({ ports }, signal) => ports().adopt(signal), nothingRestored),
  renew: fromPort<RenewOutcome>(({ ports }, signal) => ports().renew(signal), requestFailed),
  clear: fromPort<void, PortInput & { readonly scope: ClearScope }>(
    ({ ports, scope }) => ports().clear(scope),
    undefined,
  ),
  startSync: fromPort<void>(({ ports }) => ports().startSync(), undefined),
  stopSync: fromPort<void>(({ ports }) => ports().stopSync(), undefined),

  /** It outlives the state that started it, so it says when it has ended; the machine then stops it. */
  revocation: fromCallback<NoEvent, PortInput & { readonly id: string }>(
    ({ input: { ports, id }, sendBack }) => {
      const controller = new AbortController()
      Promise.resolve()
        .then(() => ports().revoke(controller.signal))
        .catch(() => undefined)
        .finally(() => {
          const ended: RevocationEvent = { type: 'revocation.ended', id }
          if (!controller.signal.aborted) sendBack(ended)
        })
      return () => {
        controller.abort()
      }
    },
  ),
}

function fromPort<Output, Input extends PortInput = PortInput>(
  run: (input: Input, signal: AbortSignal) => Output | PromiseLike<Output>,
  otherwise: Output,
) {
  return fromPromise<Output, Input>(async ({ input, signal }) => {
    await Promise.resolve()
    // The machine may have left the state that asked.
    if (signal.aborted) return otherwise
    try {
      return await run(input, signal)
    } catch {
      // The ports report exceptions themselves.
      return otherwise
    }
  })
}
