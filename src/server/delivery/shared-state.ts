import { type ReportError, SyncError } from '../../base/errors.js'
import type { CoordinatorDefinition } from '../../schemas/coordinator.js'
import { createValidate, type MessageSchemas, type Validate } from '../../schemas/schema.js'
import { createFolding, type Folding } from '../../state/folding.js'
import { encodeJson } from '../../transport/json-codec.js'
import type { LoggedMessage } from '../log/delivery-log.js'
import type { UserLogState } from '../log/user-log.js'
import { decodeData } from './logged-message.js'
import type { ServerDeliveryContext } from './context.js'

/** Makes the state of one user from the user's log. */
export type CreateSharedState = (userId: string, log: UserLogState) => SharedState

/** Makes the function that makes users' states; `undefined` if the protocol has no checkpoint. */
export function createSharedStates({
  protocol,
  clock,
  reporting: { report },
}: Pick<ServerDeliveryContext, 'clock' | 'protocol' | 'reporting'>): CreateSharedState | undefined {
  if (protocol.coordinator?.checkpoint === undefined) return undefined
  // `defineProtocol` has checked it, and nothing here depends on the type of a state.
  const definition = protocol.coordinator as CoordinatorDefinition<MessageSchemas, object>
  const validators = new Map<string, Validate>()
  for (const [type, schema] of Object.entries(protocol.receive)) {
    if (schema !== null) validators.set(type, createValidate(schema))
  }
  return (userId, log) => {
    const folding = createFolding(definition, { clock, report })
    return new SharedState({ userId, epoch: log.epoch }, log, folding, validators, report)
  }
}

/** The state that a user's messages lead to, folded as every client of the user folds it. */
export class SharedState {
  readonly #origin: { readonly userId: string; readonly epoch: string }
  readonly #folding: Folding
  readonly #validators: ReadonlyMap<string, Validate>
  readonly #report: ReportError
  /** False where earlier messages are gone and there is no checkpoint of them. */
  readonly #isKnown: boolean

  constructor(
    origin: { readonly userId: string; readonly epoch: string },
    { first, messages, checkpoint }: UserLogState,
    folding: Folding,
    validators: ReadonlyMap<string, Validate>,
    report: ReportError,
  ) {
    this.#origin = origin
    this.#folding = folding
    this.#validators = validators
    this.#report = report
    const since = checkpoint?.seq ?? 0
    const isRestored =
      checkpoint === undefined || folding.restoreCheckpoint(JSON.parse(checkpoint.state))
    this.#isKnown = first <= since + 1 && isRestored
    this.fold(messages.filter(({ seq }) => seq > since))
  }

  /** Folds messages into the state. */
  fold(messages: readonly LoggedMessage[]): void {
    if (!this.#isKnown) return
    for (const message of messages) {
      const { type, timestamp, deviceId, seq } = message
      const validated = this.#validators.get(type)?.(decodeData(message))
      // Clients do not fold a message that does not fit its schema either.
      if (validated?.ok === false) continue
      const meta = { timestamp, deviceId, seq, ...this.#origin }
      this.#folding.fold({ type, data: validated?.value, meta })
    }
    this.#folding.commit()
  }

  /** The checkpoint of the state as JSON text; `undefined` if the state is unknown or not JSON. */
  take(): string | undefined {
    if (!this.#isKnown) return undefined
    const taken = this.#folding.takeCheckpoint()
    if (taken === undefined) return undefined
    const encoded = encodeJson(taken)
    if (encoded.ok) return encoded.frame
    const message = `coordinator.checkpoint.take gave no JSON: ${encoded.detail}`
    this.#report(new SyncError('message-invalid', message))
    return undefined
  }
}
