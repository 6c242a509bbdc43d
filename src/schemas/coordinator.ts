import { DELAY, isDelay } from '../base/clock.js'
import { assertThat } from '../base/errors.js'
import { type MapDraft, PersistentMap } from '../base/persistent-map.js'
import type { MessageOf } from './message.js'
import { isSchema, type MessageSchemas, type Schema, type TypeOf } from './schema.js'

/**
 * A state that a fold may change in place, one level deep. A field that holds a `PersistentMap` is
 * a {@link MapDraft} here: it reads as the map, and a `PersistentMap` may be assigned to it.
 */
export type Draft<State> = { -readonly [Field in keyof State]: DraftField<State[Field]> }

// Distributes over a union: an optional map becomes an optional draft.
type DraftField<Value> = Value extends PersistentMap<infer Item> ? MapDraft<Item> : Value

/** What a fold may return: another state, with drafts or maps in its map fields, or nothing. */
export type FoldResult<State> = State | Draft<State> | undefined | void

/**
 * Applies one message to the state: it changes the draft, or returns another state.
 *
 * The draft's maps change in place: `draft.lines.set(id, line)` costs the same however large the
 * map is. Anything else in the state must be replaced, not changed inside. A draft is good until
 * the fold returns; to keep a map, keep `PersistentMap.from(draft.lines)`.
 *
 * A fold that throws is undone and reported. The earlier folds of the same batch may then run
 * again, so a fold must do nothing but fold.
 */
export type Fold<State, Message> = (draft: Draft<State>, message: Message) => FoldResult<State>

/** The names of the fields that hold a `PersistentMap`. */
export type MapFieldOf<State> = {
  [Field in keyof State]-?: State[Field] extends PersistentMap<infer _> ? Field : never
}[keyof State] &
  string

/** The entries' type of a map field. */
export type EntryOf<Field> = Field extends PersistentMap<infer Value> ? Value : never

/** Removes an entry from a map of the state some time after a condition holds. */
export interface ExpireRule<Value> {
  /** Whether the entry is on its way out. Whatever changes the entry has it decided anew. */
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
  ) => FoldResult<State>
}

/**
 * How a state is written down for a client that cannot be told all the messages that led to it: a
 * new one, or one that was away for longer than the server's log reaches. See `delivery`.
 */
export interface CheckpointRule<State, C extends Schema> {
  /** What is written: something that JSON can hold. */
  readonly schema: C
  /** Writes a state down. What each client has for itself, such as presence, is left out. */
  readonly take: (state: State) => C['_zod']['input']
  /** Puts the state in place of the draft, but for what `take` leaves out. */
  readonly restore: (draft: Draft<State>, checkpoint: C['_zod']['output']) => FoldResult<State>
}

/** What happens to the entries of a map of peers when this client's own connection drops. */
export type PresenceRule<State> = {
  [Field in MapFieldOf<State>]: {
    /** The field that holds them. */
    readonly field: Field
    /** The entry as it stands while nobody can tell whether it is still true. */
    readonly unconfirm: (value: EntryOf<State[Field]>) => EntryOf<State[Field]>
    /** Whether an entry is still unconfirmed. */
    readonly isUnconfirmed: (value: EntryOf<State[Field]>) => boolean
    /** How long after the connection is back an unconfirmed entry stays, in milliseconds. */
    readonly leaveAfterMs: number
  }
}[MapFieldOf<State>]

/** How a protocol's messages become state. See {@link defineCoordinator}. */
export interface CoordinatorDefinition<
  R extends MessageSchemas,
  State extends object,
  S extends Schema = Schema,
  C extends Schema = Schema,
> {
  /**
   * The state before any message, and after `stop()`: a plain object. A field that ever holds a
   * `PersistentMap` holds one here.
   */
  readonly initial: State
  /** What each message type does to the state; types without an entry leave it alone. */
  readonly fold: {
    readonly [K in TypeOf<R>]?: Fold<State, MessageOf<R, K>>
  }
  /** Entries that leave maps of the state by themselves, by field. */
  readonly expire?: { readonly [Field in MapFieldOf<State>]?: ExpireRule<EntryOf<State[Field]>> }
  readonly snapshot?: SnapshotRule<State, S, TypeOf<R>>
  readonly checkpoint?: CheckpointRule<State, C>
  readonly presence?: PresenceRule<State>
  /** What each new connection does to the state, before its first message. */
  readonly opened?: (draft: Draft<State>) => FoldResult<State>
}

/**
 * Describes how the messages of a protocol fold into state, in a place of its own. Inline in
 * `defineProtocol` the same object needs no call.
 *
 * @param _receive The message schemas that the folds are typed by; the value is not kept.
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
  C extends Schema = Schema,
>(
  _receive: R,
  definition: CoordinatorDefinition<R, State, S, C>,
): CoordinatorDefinition<R, State, S, C> {
  return definition
}

/** A definition of which nothing is known yet. */
export type UncheckedDefinition = {
  readonly [Part in keyof CoordinatorDefinition<MessageSchemas, object>]?: unknown
}

/**
 * Checks what the compiler cannot, and what callers without one did not.
 *
 * @throws SyncError `protocol-invalid`; the message names the part.
 */
export function assertCoordinatorDefinition(definition: UncheckedDefinition): void {
  const { initial, fold, expire = {}, snapshot, checkpoint, presence, opened } = definition
  assertKind('initial', initial, object)
  assertKind('fold', fold, object)
  for (const [type, one] of Object.entries(fold)) {
    if (one !== undefined) assertKind(`fold.${type}`, one, code)
  }
  if (opened !== undefined) assertKind('opened', opened, code)
  assertKind('expire', expire, object)
  for (const [field, rule] of Object.entries(expire)) {
    if (rule === undefined) continue
    assertKind(`expire.${field}`, rule, object)
    assertKind(`expire.${field}`, initial[field], map)
    assertKind(`expire.${field}.when`, rule['when'], code)
    assertKind(`expire.${field}.afterMs`, rule['afterMs'], delay)
  }
  if (snapshot !== undefined) {
    assertKind('snapshot', snapshot, object)
    assertKind('snapshot.schema', snapshot['schema'], schema)
    assertKind('snapshot.fold', snapshot['fold'], code)
  }
  if (checkpoint !== undefined) {
    assertKind('checkpoint', checkpoint, object)
    assertKind('checkpoint.schema', checkpoint['schema'], schema)
    assertKind('checkpoint.take', checkpoint['take'], code)
    assertKind('checkpoint.restore', checkpoint['restore'], code)
  }
  if (presence === undefined) return
  assertKind('presence', presence, object)
  const { field, unconfirm, isUnconfirmed, leaveAfterMs } = presence
  const peers = typeof field === 'string' ? initial[field] : undefined
  assertKind('presence.field', peers, map)
  assertKind('presence.unconfirm', unconfirm, code)
  assertKind('presence.isUnconfirmed', isUnconfirmed, code)
  assertKind('presence.leaveAfterMs', leaveAfterMs, delay)
}

interface Kind<T> {
  readonly is: (value: unknown) => value is T
  readonly called: string
}

const object: Kind<Readonly<Record<string, unknown>>> = { is: isRecord, called: 'an object' }
const code: Kind<() => unknown> = {
  is: (value): value is () => unknown => typeof value === 'function',
  called: 'a function',
}
const map: Kind<PersistentMap<unknown>> = {
  is: (value) => value instanceof PersistentMap,
  called: 'the name of a PersistentMap in initial',
}
const schema: Kind<Schema> = { is: isSchema, called: 'a zod 4 schema' }
const delay: Kind<number> = { is: isDelay, called: DELAY }

function assertKind<T>(name: string, value: unknown, { is, called }: Kind<T>): asserts value is T {
  assertThat(is(value), 'protocol-invalid', `coordinator.${name} must be ${called}`)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
