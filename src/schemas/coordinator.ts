import { LONGEST_TIMER_MS } from '../clock.js'
import { SyncError } from '../errors.js'
import { PersistentMap } from '../persistent-map.js'
import type { MessageOf } from './message.js'
import { isSchema, type MessageSchemas, type Schema, type TypeOf } from './schema.js'

/** State that a fold may change in place, one level deep. */
export type Draft<State> = { -readonly [Field in keyof State]: State[Field] }

/**
 * Takes one message up into the state: change the draft, or return a new state.
 *
 * Maps in the state (`PersistentMap`) are open for editing: `draft.lines.set(id, line)` is cheap
 * however large the map is. Anything else in the state must be replaced, not changed inside. A
 * fold that throws is undone and reported, and the folds before it in the same batch may then be
 * run once more: they should do nothing but fold.
 */
export type Fold<State, Message> = (
  draft: Draft<State>,
  message: Message,
) => State | undefined | void

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
  ) => State | undefined | void
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
  readonly presence?: PresenceRule<State>
  /** What each new connection does to the state, before its first message. */
  readonly opened?: (draft: Draft<State>) => State | undefined | void
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
>(_receive: R, definition: CoordinatorDefinition<R, State, S>): CoordinatorDefinition<R, State, S> {
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
  const { initial, fold, expire = {}, snapshot, presence, opened } = definition
  check(isRecord(initial), 'initial must be an object')
  check(isRecord(fold), 'fold must be an object of functions')
  for (const [type, one] of Object.entries(fold)) {
    check(one === undefined || typeof one === 'function', `fold.${type} must be a function`)
  }
  check(opened === undefined || typeof opened === 'function', 'opened must be a function')

  check(isRecord(expire), 'expire must be an object of rules')
  for (const [field, rule] of Object.entries(expire)) {
    if (rule === undefined) continue
    const at = `expire.${field}`
    check(initial[field] instanceof PersistentMap, `${at}: the field holds no PersistentMap`)
    check(isRecord(rule), `${at} must be a rule`)
    check(typeof rule['when'] === 'function', `${at}.when must be a function`)
    checkDelay(`${at}.afterMs`, rule['afterMs'])
  }
  if (snapshot !== undefined) {
    check(isRecord(snapshot), 'snapshot must be a rule')
    check(isSchema(snapshot['schema']), 'snapshot.schema is not a zod 4 schema')
    check(typeof snapshot['fold'] === 'function', 'snapshot.fold must be a function')
  }
  if (presence === undefined) return
  check(isRecord(presence), 'presence must be a rule')
  const { field, unconfirm, isUnconfirmed, leaveAfterMs } = presence
  const isMap = typeof field === 'string' && initial[field] instanceof PersistentMap
  check(isMap, 'presence.field names no PersistentMap of the state')
  check(typeof unconfirm === 'function', 'presence.unconfirm must be a function')
  check(typeof isUnconfirmed === 'function', 'presence.isUnconfirmed must be a function')
  checkDelay('presence.leaveAfterMs', leaveAfterMs)
}

function checkDelay(name: string, value: unknown): void {
  const isDelay = typeof value === 'number' && value >= 0 && value <= LONGEST_TIMER_MS
  check(isDelay, `${name} must be a number of milliseconds from 0 to ${LONGEST_TIMER_MS}`)
}

function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new SyncError('protocol-invalid', `coordinator.${message}`)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
