import type { DeliveryCounts } from 'statewire'
import type { Audit } from './audit.js'

/** What a server process is started with. */
export interface ServerPlan {
  readonly directory: string
  /** How many messages the server itself sends to each user, and how many per second. */
  readonly broadcasts: Readonly<Record<string, { readonly count: number; readonly rate: number }>>
  readonly maxEntries: number
  /** How long the server before may be silent until it counts as gone. */
  readonly leaseMs: number
}

/** What a client process is started with. */
export interface ClientPlan {
  readonly name: string
  readonly url: string
  readonly user: string
  readonly device: string
  /** The number of this process, among those of this name. */
  readonly run: number
  /** How many messages it sends; 0 if it only receives. */
  readonly count: number
  /** How many messages it sends per second. */
  readonly rate: number
  /** The folder of its outbox; empty if it only receives. */
  readonly directory: string
  readonly leaseMs: number
}

/** What a server process counts. */
export type ServerCounts = Readonly<Record<string, number>>

/** What a server process reports. */
export type ServerReport =
  | { readonly kind: 'listening'; readonly port: number }
  | {
      readonly kind: 'state'
      readonly counts: ServerCounts
      /** Whether it has sent all its own messages. */
      readonly isDone: boolean
      readonly problems: readonly string[]
    }

/** What a client process reports. */
export interface ClientReport {
  readonly kind: 'state'
  /** The state of its connection and of its delivery. */
  readonly status: string
  /** How many of its messages are certain to survive a crash: the first so many. */
  readonly durable: number
  readonly accepted: number
  /** How many receipts have settled, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly possibleDuplicates: number
  readonly isDone: boolean
  /** How many messages are in its outbox. */
  readonly waiting: number
  /** How many of its receipts have not settled, followed by the numbers of the first three. */
  readonly unsettled: readonly number[]
  readonly isOwner: boolean
  readonly counts: DeliveryCounts
  /** What its handlers heard. */
  readonly heard: Readonly<HeardCounts>
  /** Its audit on one line, as `describeAudit` writes it. */
  readonly state: string
  readonly isEnded: boolean
  readonly problems: readonly string[]
}

/** How many messages the handlers of a device heard, and how many faults these had. */
export type HeardCounts = Pick<Audit, 'count' | 'lost' | 'duplicated' | 'disordered'>

/** What a process can be asked to do. */
export type Order = { readonly kind: 'end' } | { readonly kind: 'close' }
