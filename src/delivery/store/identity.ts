import type { Resume } from '../../schemas/control.js'

/** An outbox and its owner, as servers know them. */
export interface OutboxIdentity {
  /** The id of the outbox on the wire: a UUID. */
  readonly cid: string
  /** The fencing token: larger than that of every owner of this `cid` before; from 1. */
  readonly fence: number
  /** A random text, new for each owner. A copy of the outbox has owners of its own. */
  readonly start: string
  /**
   * The starts of earlier owners that a server may know as the latest, newest first. The last one
   * is the latest that a server is known to have heard of.
   */
  readonly past: readonly string[]
  /** The highest number that a message of this `cid` was given; 0: none yet. */
  readonly numbered: number
}

/** Makes the identity of a new outbox in memory. */
export function createIdentity(makeId: () => string): OutboxIdentity {
  return { cid: makeId(), fence: 1, start: makeId(), past: [], numbered: 0 }
}

/** What `$resume` says of an outbox and its owner. */
export function toClaim({ cid, fence, start, past }: OutboxIdentity): Resume {
  return { cid, fence, start, ...(past.length > 0 && { past: [...past] }) }
}
