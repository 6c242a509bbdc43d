import { fromCallback, fromPromise } from 'xstate'
import type { NoEvent } from '../callback-scope.js'
import type { RevocationEvent } from './events.js'
import type {
  ApiFailure,
  ClearScope,
  OfferOutcome,
  PollOutcome,
  RenewOutcome,
  RestoreOutcome,
  SessionPorts,
} from './ports.js'

// The ports as actors. A port runs the user's code. It starts in a microtask of its own, when the
// machine has finished its transition, and an exception does not reach the machine.

/** What every actor here gets. */
export interface PortInput {
  /** Gives the ports. A function, so that an inspector which prints the input does not show them. */
  readonly ports: () => SessionPorts
}

const broken: ApiFailure = { code: 'network', message: 'The request failed.' }
const nothingRestored: RestoreOutcome = { kind: 'none' }
const requestFailed = { kind: 'failed', failure: broken } as const

/** The actors of a session machine. */
export const sessionActors = {
  /** Loads a stored session. */
  restore: fromPort<RestoreOutcome>(
    ({ ports }, signal) => ports().restore(signal),
    nothingRestored,
  ),

  /** Asks for a code. */
  requestLink: fromPort<OfferOutcome>(
    ({ ports }, signal) => ports().requestLink(signal),
    requestFailed,
  ),

  /** Asks whether a code was confirmed. */
  checkLink: fromPort<PollOutcome, PortInput & { readonly code: string }>(
    ({ ports, code }, signal) => ports().checkLink(code, signal),
    requestFailed,
  ),

  /** Starts to use the tokens of a confirmed code. */
  adopt: fromPort<RestoreOutcome>(({ ports }, signal) => ports().adopt(signal), nothingRestored),

  /** Renews the access token. */
  renew: fromPort<RenewOutcome>(({ ports }, signal) => ports().renew(signal), requestFailed),

  /** Removes tokens and user. */
  clear: fromPort<void, PortInput & { readonly scope: ClearScope }>(
    ({ ports, scope }) => ports().clear(scope),
    undefined,
  ),

  /** Starts the sync. */
  startSync: fromPort<void>(({ ports }) => ports().startSync(), undefined),

  /** Stops the sync. */
  stopSync: fromPort<void>(({ ports }) => ports().stopSync(), undefined),

  /**
   * Tells the server that the tokens are not used any more. It outlives the state that started it,
   * so it says when it has ended; the machine then stops it.
   */
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
