import type { Rules } from './rules.js'
import { threw, type UserCode } from './user-code.js'
import { draftOf, entriesOf, type Workspace } from './workspace.js'

/**
 * Applies a presence rule to the peers of a sealed workspace. A peer that the rule throws on stays
 * as it was.
 */
export class PeerConfirmation {
  readonly #rule: NonNullable<Rules['presence']>
  readonly #workspace: Workspace
  readonly #userCode: UserCode

  constructor(rule: NonNullable<Rules['presence']>, workspace: Workspace, userCode: UserCode) {
    this.#rule = rule
    this.#workspace = workspace
    this.#userCode = userCode
  }

  /** Marks all peers as unconfirmed. */
  unconfirmAll(): void {
    const { field, unconfirm } = this.#rule
    const peers = draftOf(this.#workspace.draft, field)
    for (const [key, peer] of entriesOf(this.#workspace.base, field)) {
      if (this.#isUnconfirmed(peer)) continue
      const marked = this.#userCode.run('presence.unconfirm', unconfirm, peer, undefined)
      if (marked !== threw) peers.set(key, marked)
    }
  }

  /** Removes the peers that are still unconfirmed. */
  removeUnconfirmed(): void {
    const { field } = this.#rule
    const peers = draftOf(this.#workspace.draft, field)
    for (const [key, peer] of entriesOf(this.#workspace.base, field)) {
      if (this.#isUnconfirmed(peer)) peers.delete(key)
    }
  }

  #isUnconfirmed(peer: unknown): boolean {
    const { isUnconfirmed } = this.#rule
    return this.#userCode.run('presence.isUnconfirmed', isUnconfirmed, peer, undefined) === true
  }
}
