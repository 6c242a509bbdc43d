import type { Rules } from './rules.js'
import { threw, type UserCode } from './user-code.js'
import { entriesOf, type Workspace } from './workspace.js'

/** What a presence rule does to the peers of a sealed workspace. */
export interface Presence {
  /** Marks all peers as unconfirmed. */
  unconfirmAll(): void
  /** Removes those that still are. */
  removeUnconfirmed(): void
}

/** Makes a presence rule work. A peer that the rule throws on stays as it was. */
export function createPresence(
  rule: NonNullable<Rules['presence']>,
  workspace: Workspace,
  userCode: UserCode,
): Presence {
  function isUnconfirmed(peer: unknown): boolean {
    return userCode.run('presence.isUnconfirmed', rule.isUnconfirmed, peer, undefined) === true
  }

  return {
    unconfirmAll() {
      const peers = entriesOf(workspace.draft, rule.field)
      for (const [key, peer] of entriesOf(workspace.base, rule.field)) {
        if (isUnconfirmed(peer)) continue
        const marked = userCode.run('presence.unconfirm', rule.unconfirm, peer, undefined)
        if (marked !== threw) peers.set(key, marked)
      }
    },
    removeUnconfirmed() {
      const peers = entriesOf(workspace.draft, rule.field)
      for (const [key, peer] of entriesOf(workspace.base, rule.field)) {
        if (isUnconfirmed(peer)) peers.delete(key)
      }
    },
  }
}
