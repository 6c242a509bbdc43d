import { SyncError } from '../../base/errors.js'
import type { MessageSchemas } from '../../schemas/schema.js'
import type { Identity } from '../../schemas/protocol.js'
import type { LogPosition } from '../log/delivery-log.js'
import type { Members } from '../members.js'
import type { UnsealedMessage } from '../outgoing.js'
import type { ControlResult, ServerDeliveryPort, Subscription } from './port.js'

/** The subscription of every connection without delivery: it does nothing. */
export const plainSubscription: Subscription = {
  isPlain: true,
  hasRoster: true,
  receive() {},
  control: (): ControlResult => 'unknown',
  leave() {},
}

/** The delivery of a server that has none: messages go to whoever is connected, at once. */
export class NoDelivery<R extends MessageSchemas> implements ServerDeliveryPort {
  readonly counters = undefined
  readonly isDraining = false
  readonly #members: Members<R>

  constructor(members: Members<R>) {
    this.#members = members
  }

  subscribe(): Subscription {
    return plainSubscription
  }

  broadcast(userId: string, messages: readonly UnsealedMessage[]): number {
    return this.#members.sendToUser(userId, messages)
  }

  publish(): Promise<LogPosition> {
    const message = 'publishToUser: the server has no delivery'
    return Promise.reject(new SyncError('option-invalid', message))
  }

  relay({ userId, deviceId }: Identity, message: UnsealedMessage, handle: () => void): void {
    this.#members.send(this.#members.presence.ofUser(userId), userId, message, deviceId)
    handle()
  }

  afterPending(_userId: string, handle: () => void): void {
    handle()
  }

  drain(): undefined {
    return undefined
  }
}
