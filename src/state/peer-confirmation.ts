import type { Rules } from './rules.js'
import { threw, type UserCode } from './user-code.js'
import { draftOf, entriesOf, type Workspace } from './workspace.js'

type PresenceRules = NonNullable<Rules['presence']>

/** Marks all peers of a sealed workspace as unconfirmed. One that the rule throws on stays as it was. */
export function unconfirmAll(rule: PresenceRules, workspace: Workspace, userCode: UserCode): void {
  const peers = draftOf(workspace.draft, rule.field)
  for (const [key, peer] of entriesOf(workspace.base, rule.field)) {
    if (isUnconfirmed(rule, userCode, peer)) continue
    const marked = userCode.run('presence.unconfirm', rule.unconfirm, peer, undefined)
    if (marked !== threw) peers.set(key, marked)
  }
}

/** Removes the peers of a sealed workspace that are still unconfirmed. */
export function removeUnconfirmed(
  rule: PresenceRules,
  workspace: Workspace,
  userCode: UserCode,
): void {
  const peers = draftOf(workspace.draft, rule.field)
  for (const [key, peer] of entriesOf(workspace.base, rule.field)) {
    if (isUnconfirmed(rule, userCode, peer)) peers.delete(key)
  }
}

function isUnconfirmed(rule: PresenceRules, userCode: UserCode, peer: unknown): boolean {
  return userCode.run('presence.isUnconfirmed', rule.isUnconfirmed, peer, undefined) === true
}
