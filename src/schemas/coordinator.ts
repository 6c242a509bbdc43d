import { DELAY, isDelay } from '../base/clock.js'
import { assertThat } from '../base/errors.js'
import { type MapDraft, PersistentMap } from '../base/persistent-map.js'
import { isRecord } from '../base/values.js'
import type { MessageOf } from './message.js'
import { isSchema, type MessageSchemas, type Schema, type TypeOf } from './schema.js'

/**
 * A state that a fold may change in place, one level deep. A field that always holds a
 * `PersistentMap` is a {@link MapDraft} here: it reads as the map, and a `PersistentMap` may be
 * assigned to it. A map that may be absent stays a `PersistentMap`, to be replaced as a whole.
 */
export type Draft<State> = { -readonly [Field in keyof State]: DraftField<State[Field]> }

// Not distributed over a union: a map that may be absent is no draft, and is replaced as a whole.
type DraftField<Value> = [Value] extends [PersistentMap<infer Item>] ? MapDraft<Item> : Value

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

/** The type of the entries of a map field. */
export type EntryOf<Field> = Field extends PersistentMap<infer Value> ? Value : never

/** Removes an entry from a map of the state some time after a condition holds. */
export interface ExpireRule<Value> {
  /** Whether the entry is to be removed. Asked again whenever the entry changes. */
  readonly when: (value: Value) => boolean
  /** How long the entry stays from then on, in milliseconds. */
  readonly afterMs: number
}

/** How the state that messages alone do not give is loaded, at the start and after each reconnect. */
export interface SnapshotRule<State, S extends Schema, Type extends string> {
  /** The schema of what `loadSnapshot` gives. A value that does not fit is a failed load. */
  readonly schema: S
  /**
   * Applies the loaded value to the state. `seen` holds the types of the messages that came during
   * the load: they are newer than the loaded value.
   */
  readonly fold: (
    draft: Draft<State>,
    loaded: S['_zod']['output'],
    seen: ReadonlySet<Type>,
  ) => FoldResult<State>
}

/**
 * How a state becomes a checkpoint, which a server with delivery sends to a client that cannot get
 * all the messages that led to the state: a new one, or one that was away for longer than the
 * server's log reaches.
 */
export interface CheckpointRule<State, C extends Schema> {
  /** The schema of a checkpoint: a value that JSON can hold. */
  readonly schema: C
  /** Makes the checkpoint of a state. Leaves out what differs between clients, such as presence. */
  readonly take: (state: State) => C['_zod']['input']
  /** Replaces the draft by the state of a checkpoint, except for what `take` leaves out. */
  readonly restore: (draft: Draft<State>, checkpoint: C['_zod']['output']) => FoldResult<State>
}

/** What happens to the entries of a map of peers when the client's connection drops. */
export type PresenceRule<State> = {
  [Field in MapFieldOf<State>]: {
    /** The field of the state that holds the peers. */
    readonly field: Field
    /** Marks an entry as unconfirmed: the peer may have left. */
    readonly unconfirm: (value: EntryOf<State[Field]>) => EntryOf<State[Field]>
    /** Whether an entry is marked as unconfirmed. */
    readonly isUnconfirmed: (value: EntryOf<State[Field]>) => boolean
    /** How long an unconfirmed entry stays once the connection is back, in milliseconds. */
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
   * The state before any message, and after `stop()`: a plain object. A field that is to hold a
   * `PersistentMap` at any time must hold one here.
   */
  readonly initial: State
  /** What each message type does to the state. A type without an entry changes nothing. */
  readonly fold: {
    readonly [K in TypeOf<R>]?: Fold<State, MessageOf<R, K>>
  }
  /** When entries are removed from maps of the state, by field. */
  readonly expire?: { readonly [Field in MapFieldOf<State>]?: ExpireRule<EntryOf<State[Field]>> }
  readonly snapshot?: SnapshotRule<State, S, TypeOf<R>>
  readonly checkpoint?: CheckpointRule<State, C>
  readonly presence?: PresenceRule<State>
  /** What each new connection does to the state, before its first message. */
  readonly opened?: (draft: Draft<State>) => FoldResult<State>
}

/**
 * Describes how the messages of a protocol fold into state, outside of `defineProtocol`. Inside of it
 * the same object needs no call.
 *
 * @param _receive The message schemas that give the folds their types; not used at run time.
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

/** A definition that has not been checked. */
export type UncheckedDefinition = {
  readonly [Part in keyof CoordinatorDefinition<MessageSchemas, object>]?: unknown
}

/**
 * Checks a definition at run time: what the compiler cannot check, and callers without a compiler.
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
    assertKind(`expire.${field}`, initial[field], mapField)
    assertRule(`expire.${field}`, rule, { when: code, afterMs: delay })
  }
  if (snapshot !== undefined) assertRule('snapshot', snapshot, { schema, fold: code })
  if (checkpoint !== undefined) {
    assertRule('checkpoint', checkpoint, { schema, take: code, restore: code })
  }
  if (presence === undefined) return
  assertRule('presence', presence, { unconfirm: code, isUnconfirmed: code, leaveAfterMs: delay })
  const { field } = presence as { readonly field?: unknown }
  assertKind('presence.field', typeof field === 'string' ? initial[field] : undefined, mapField)
}

function assertRule(
  name: string,
  rule: unknown,
  parts: Readonly<Record<string, Kind<unknown>>>,
): void {
  assertKind(name, rule, object)
  for (const [part, kind] of Object.entries(parts)) assertKind(`${name}.${part}`, rule[part], kind)
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
const mapField: Kind<PersistentMap<unknown>> = {
  is: (value) => value instanceof PersistentMap,
  called: 'the name of a PersistentMap in initial',
}
const schema: Kind<Schema> = { is: isSchema, called: 'a zod 4 schema' }
const delay: Kind<number> = { is: isDelay, called: DELAY }

function assertKind<T>(name: string, value: unknown, { is, called }: Kind<T>): asserts value is T {
  assertThat(is(value), 'protocol-invalid', `coordinator.${name} must be ${called}`)
}
