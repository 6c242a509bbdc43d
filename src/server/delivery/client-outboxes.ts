import { markKey } from '../log/user-log.js'
import { ClientOutbox, type ClientOutboxOptions } from './client-outbox.js'

/** The outboxes of one user that connections send from. */
export class ClientOutboxes {
  readonly #options: Omit<ClientOutboxOptions, 'deviceId' | 'cid' | 'ended'>
  readonly #outboxes = new Map<string, ClientOutbox>()

  constructor(options: Omit<ClientOutboxOptions, 'deviceId' | 'cid' | 'ended'>) {
    this.#options = options
  }

  find(deviceId: string, cid: string): ClientOutbox | undefined {
    return this.#outboxes.get(markKey({ deviceId, cid }))
  }

  findOrCreate(deviceId: string, cid: string): ClientOutbox {
    const key = markKey({ deviceId, cid })
    const known = this.#outboxes.get(key)
    if (known !== undefined) return known
    const ended = () => this.#outboxes.delete(key)
    const outbox = new ClientOutbox({ ...this.#options, deviceId, cid, ended })
    this.#outboxes.set(key, outbox)
    return outbox
  }
}
