import type { SessionContext } from './context.js'
import type { Grant } from './ports.js'
import { SOONEST_RETRY_MS } from './retry.js'

// Tokens that the ports obtained: who is signed in, and when to renew.

/** Signs the user of a grant in, and schedules the renewal. */
export function applyGrant(
  { input }: SessionContext,
  grant: Grant,
): Pick<SessionContext, 'renewAt'> & Partial<SessionContext> {
  const { random, timing } = input()
  const lifeMs = grant.expiresAt - grant.obtainedAt
  const aheadMs = timing.renewAheadMs + random() * timing.renewSpreadMs
  // A token with a short life is renewed after half of it, but not within a second.
  const earliest = grant.obtainedAt + Math.max(lifeMs / 2, SOONEST_RETRY_MS)
  return {
    grant,
    renewAt: Math.max(earliest, grant.expiresAt - aheadMs),
    offer: undefined,
    ending: undefined,
    failures: 0,
    refusals: 0,
  }
}

/** As {@link applyGrant}, for tokens that follow others: they are not renewed within a second. */
export function applySuccessor(context: SessionContext, grant: Grant): Partial<SessionContext> {
  const applied = applyGrant(context, grant)
  const soonest = context.input().clock.now() + SOONEST_RETRY_MS
  return { ...applied, renewAt: Math.max(applied.renewAt, soonest) }
}
