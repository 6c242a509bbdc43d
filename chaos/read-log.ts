import type { DeliveryLog } from 'statewire/server'
import {
  addTo,
  type Audit,
  emptyAudit,
  type Origin,
  restoreAudit,
  type WrittenAudit,
} from './audit.js'

/** Audits a user's log: its checkpoint, and every message after it. */
export async function readAudit(log: DeliveryLog, user: string): Promise<Audit> {
  const { checkpoint, first, messages } = await log.open(user)
  const audit: Audit = { ...emptyAudit }
  if (checkpoint !== undefined) {
    restoreAudit(audit, JSON.parse(checkpoint.state) as WrittenAudit)
  }
  const begin = checkpoint?.seq ?? 0
  if (first > begin + 1) audit.lost += first - begin - 1
  let next = first
  for (const { seq, type, data } of messages) {
    if (seq !== next) audit.disordered += 1
    next = seq + 1
    if (seq <= begin) continue
    if (type === 'ENDED') audit.isEnded = true
    else if (data !== undefined) addTo(audit, JSON.parse(data) as Origin)
  }
  log.close?.(user)
  return audit
}
