import type { DeliveryCounts } from 'statewire'
import type { Audit } from './audit.js'

/** What a server process is started with. */
export interface ServerPlan {
  readonly directory: string
  /** How many messages the server itself says to each user, and how many in a second. */
  readonly broadcasts: Readonly<Record<string, { readonly count: number; readonly rate: number }>>
  readonly maxEntries: number
  readonly maxJournalBytes: number
}

/** What a client process is started with. */
export interface ClientPlan {
  readonly name: string
  readonly url: string
  readonly user: string
  readonly device: string
  /** Counts the processes of this name. */
  readonly run: number
  /** Sends this many messages, kept in this folder; 0: it only watches. */
  readonly count: number
  readonly rate: number
  readonly directory: string
  readonly leaseMs: number
}

/** What a server process counts. */
export type ServerCounts = Readonly<Record<string, number>>

/** What a server process tells. */
export type ServerReport =
  | { readonly kind: 'listening'; readonly port: number }
  | {
      readonly kind: 'state'
      readonly counts: ServerCounts
      /** It has said all that it has to say. */
      readonly isDone: boolean
      readonly problems: readonly string[]
    }

/** What a client process tells. */
export interface ClientReport {
  readonly kind: 'state'
  /** Where its connection stands, in words. */
  readonly status: string
  /** How many of its messages are certain to survive a crash: the first so many. */
  readonly durable: number
  readonly accepted: number
  /** How many receipts have settled, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly possibleDuplicates: number
  readonly isDone: boolean
  /** How many messages its outbox has. */
  readonly waiting: number
  /** How many of its receipts have not settled, and the first of those. */
  readonly unsettled: readonly number[]
  readonly isOwner: boolean
  readonly counts: DeliveryCounts
  /** What its handlers heard. */
  readonly heard: Readonly<HeardCounts>
  /** Its state on a line. */
  readonly state: string
  readonly isEnded: boolean
  readonly problems: readonly string[]
}

/** What the handlers of a device heard, and what was wrong with it. */
export type HeardCounts = Pick<Audit, 'count' | 'lost' | 'duplicated' | 'disordered'>

/** What a process is asked for. */
export type Order = { readonly kind: 'end' } | { readonly kind: 'close' }
