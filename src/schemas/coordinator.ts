import type { PersistentMap } from '../persistent-map.js'
import type { MessageOf } from './message.js'
import type { MessageSchemas, Schema, TypeOf } from './schema.js'

/** State that a fold may change in place, one level deep. */
export type Draft<State> = { -readonly [Field in keyof State]: State[Field] }

/**
 * Takes one message up into the state: change the draft, or return a new state.
 *
 * Maps in the state (`PersistentMap`) are open for editing: `draft.lines.set(id, line)` is cheap
 * however large the map is. Anything else in the state must be replaced, not changed inside.
 */
export type Fold<State, Message> = (
  draft: Draft<State>,
  message: Message,
) => State | undefined | void

/** Removes an entry from a map of the state some time after a condition holds. */
export interface ExpireRule<Value> {
  /** Whether the entry is on its way out. A newer message about the same key decides anew. */
  readonly when: (value: Value) => boolean
  /** How long it stays, in milliseconds. */
  readonly afterMs: number
}

/** How state that messages alone do not give is loaded: at start and after every reconnect. */
export interface SnapshotRule<State, S extends Schema, Type extends string> {
  /** What `loadSnapshot` must give; anything else counts as a failed load. */
  readonly schema: S
  /**
   * Takes the loaded value up into the state. `seen` holds the types of the messages that came
   * while it was being loaded: what they said is newer.
   */
  readonly fold: (
    draft: Draft<State>,
    loaded: S['_zod']['output'],
    seen: ReadonlySet<Type>,
  ) => State | undefined | void
}

/** What happens to the entries of a map of peers when this client's own connection drops. */
export interface PresenceRule<State> {
  /** The field that holds them: a `PersistentMap`. */
  readonly field: keyof State & string
  /** The entry as it stands while nobody can tell whether it is still true. */
  readonly unconfirm: (value: never) => unknown
  /** Whether an entry is still unconfirmed. */
  readonly isUnconfirmed: (value: never) => boolean
  /** How long after the connection is back an unconfirmed entry stays, in milliseconds. */
  readonly leaveAfterMs: number
}

/** The entries' type of a map field. */
export type EntryOf<Field> = Field extends PersistentMap<infer Value> ? Value : never

/** How a protocol's messages become state. See `defineCoordinator`. */
export interface CoordinatorDefinition<
  R extends MessageSchemas,
  State extends object,
  S extends Schema = Schema,
> {
  /** The state before any message, and after `stop()`. */
  readonly initial: State
  /** What each message type does to the state; types without an entry leave it alone. */
  readonly fold: {
    readonly [K in TypeOf<R>]?: Fold<State, MessageOf<R, K>>
  }
  /** Entries that leave maps of the state by themselves, by field. */
  readonly expire?: { readonly [Field in keyof State]?: ExpireRule<EntryOf<State[Field]>> }
  readonly snapshot?: SnapshotRule<State, S, TypeOf<R>>
  readonly presence?: PresenceRule<State>
  /** What each new connection does to the state, before its first message. */
  readonly opened?: (draft: Draft<State>) => State | undefined | void
}

/**
 * Describes how the messages of a protocol fold into state, in a place of its own. Inline in
 * `defineProtocol` the same object needs no call.
 *
 * @param receive The message schemas that the folds are typed by; the value is not kept.
 *
 * @example
 * const coordinator = defineCoordinator(receive, {
 *   initial: { lines: [] as Line[] },
 *   fold: { SAID: (state, { data }) => ({ lines: [...state.lines, data] }) },
 * })
 */
export function defineCoordinator<
  R extends MessageSchemas,
  State extends object,
  S extends Schema = Schema,
>(receive: R, definition: CoordinatorDefinition<R, State, S>): CoordinatorDefinition<R, State, S> {
  void receive
  return definition
}
