import type { ReadMessage } from '../schemas/reader.js'
import type { Schema } from '../schemas/schema.js'
import type { StateFields } from './workspace.js'

/** A function of the user's that changes the state: it changes the draft, or returns another state. */
export type DraftChange<T> = (draft: StateFields, value: T) => unknown

/**
 * A coordinator definition without its types. The compiler checked where the definition was written
 * that its parts fit each other; from here on they are looked up by name.
 */
export interface Rules {
  readonly initial: StateFields
  readonly fold: Readonly<Record<string, DraftChange<ReadMessage> | undefined>>
  readonly expire?: Readonly<
    Record<
      string,
      { readonly when: (value: unknown) => boolean; readonly afterMs: number } | undefined
    >
  >
  readonly snapshot?: {
    readonly schema: Schema
    readonly fold: (draft: StateFields, loaded: unknown, seen: ReadonlySet<string>) => unknown
  }
  readonly checkpoint?: {
    readonly schema: Schema
    readonly take: (state: StateFields) => unknown
    readonly restore: (draft: StateFields, checkpoint: unknown) => unknown
  }
  readonly presence?: {
    readonly field: string
    readonly unconfirm: (value: unknown) => unknown
    readonly isUnconfirmed: (value: unknown) => boolean
    readonly leaveAfterMs: number
  }
  readonly opened?: (draft: StateFields) => unknown
}
