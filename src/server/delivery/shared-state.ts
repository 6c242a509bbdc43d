import type { Clock } from '../../base/clock.js'
import type { ReportError } from '../../base/errors.js'
import { createFolding } from '../../state/folding.js'
import type { CoordinatorDefinition, UncheckedDefinition } from '../../schemas/coordinator.js'
import { createValidate, type MessageSchemas, type Validate } from '../../schemas/schema.js'
import { encodeJson } from '../../transport/json-codec.js'
import { SyncError } from '../../base/errors.js'
import type { LoggedMessage } from '../log/delivery-log.js'
import { readData } from './logged-message.js'
import type { UserLogState } from '../log/user-log.js'

/** The state that a user's messages lead to, as every client of the user folds it. */
export interface SharedState {
  /** Takes a message up. */
  fold(messages: readonly LoggedMessage[]): void
  /** The state as JSON text; `undefined` where it is not known or cannot be written down. */
  take(): string | undefined
}

/** Makes the state of one user from what is kept of it. */
export type CreateSharedState = (userId: string, log: UserLogState) => SharedState

/** What {@link createSharedStates} needs. */
export interface SharedStatesOptions {
  readonly protocol: {
    readonly receive: MessageSchemas
    readonly coordinator?: UncheckedDefinition | undefined
  }
  readonly clock: Clock
  readonly report: ReportError
}

/** Makes the function that makes users' states; `undefined` where the protocol writes none down. */
export function createSharedStates(options: SharedStatesOptions): CreateSharedState | undefined {
  const { protocol, clock, report } = options
  if (protocol.coordinator?.checkpoint === undefined) return undefined
  // `defineProtocol` has checked it, and nothing here looks at a state's type.
  const definition = protocol.coordinator as CoordinatorDefinition<MessageSchemas, object>
  const validators = new Map<string, Validate>()
  for (const [type, schema] of Object.entries(protocol.receive)) {
    if (schema !== null) validators.set(type, createValidate(schema))
  }

  return (userId, { epoch, first, messages, checkpoint }) => {
    const folding = createFolding(definition, { clock, report })

    function fold(folded: readonly LoggedMessage[]): void {
      for (const message of folded) {
        const { type, timestamp, deviceId, seq } = message
        const validated = validators.get(type)?.(readData(message))
        // What does not fit its schema no client folds either.
        if (validated?.ok === false) continue
        const meta = { timestamp, deviceId, userId, seq, epoch }
        folding.fold({ type, data: validated?.value, meta })
      }
      folding.commit()
    }

    function isRestored(): boolean {
      if (checkpoint === undefined) return first === 1
      if (first > checkpoint.seq + 1) return false
      return folding.restoreCheckpoint(JSON.parse(checkpoint.state))
    }

    const isKnown = isRestored()
    if (isKnown) fold(messages.filter(({ seq }) => seq > (checkpoint?.seq ?? 0)))
    return {
      fold: isKnown ? fold : () => {},
      take() {
        if (!isKnown) return undefined
        const taken = folding.takeCheckpoint()
        if (taken === undefined) return undefined
        const encoded = encodeJson(taken)
        if (encoded.ok) return encoded.frame
        const message = `coordinator.checkpoint.take gave no JSON: ${encoded.detail}`
        report(new SyncError('message-invalid', message))
        return undefined
      },
    }
  }
}
