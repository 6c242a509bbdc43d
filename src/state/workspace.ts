import { type MapDraft, OpenMap, PersistentMap } from '../base/persistent-map.js'

/** State of which only the names of its fields are known. */
export type StateFields = Record<string, unknown>

/** The keys of a map that were set or deleted; `all` where another map replaced it. */
export type Touched = readonly string[] | 'all'

// A field that holds a map: its draft, and what was touched since the changes were last asked for.
interface MapField {
  readonly name: string
  draft: OpenMap<unknown> | undefined
  isReplaced: boolean
  touched: string[] | 'all'
}

/** Gives the map that a field of a state holds. That the field holds one was checked before. */
export function entriesOf(state: StateFields, field: string): PersistentMap<unknown> {
  return state[field] as PersistentMap<unknown>
}

/** Gives the draft of the map that a field of a draft holds. */
export function draftOf(draft: StateFields, field: string): MapDraft<unknown> {
  return draft[field] as MapDraft<unknown>
}

/**
 * The state while it is being changed: a draft for user code to write to, above a base that stays
 * as it is until the draft is sealed, so that a draft can be dropped at any time.
 *
 * Where the base holds a `PersistentMap` in a field that holds one at first, the draft holds a draft
 * of that map.
 */
export class Workspace {
  readonly #maps: readonly MapField[]
  #base: StateFields
  #draft: StateFields | undefined
  // Drafts of maps that a fold replaced. The fold may have put such a draft into another field.
  #replaced: OpenMap<unknown>[] = []

  constructor(initial: StateFields) {
    this.#base = initial
    this.#maps = Object.keys(initial)
      .filter((name) => initial[name] instanceof PersistentMap)
      .map((name) => ({ name, draft: undefined, isReplaced: false, touched: [] }))
  }

  /** The state up to the last seal. */
  get base(): StateFields {
    return this.#base
  }

  /** The draft: a shallow copy of the base with its maps opened, made when first asked for. */
  get draft(): StateFields {
    return this.#draft ?? this.#open()
  }

  /**
   * Accepts what a fold left behind: the draft that it changed, the state that it returned, and the
   * maps that it put into fields.
   *
   * @returns What is wrong with it, in words. The caller must then drop the draft.
   */
  accept(returned: unknown): string | undefined {
    if (returned !== undefined && returned !== this.#draft) {
      const copy = copyState(returned)
      if (typeof copy === 'string') return copy
      this.#draft = copy
    }
    if (this.#draft === undefined) return undefined
    for (const map of this.#maps) {
      const value = this.#draft[map.name]
      if (value === map.draft) continue
      if (!isMap(value)) return `left no PersistentMap in state.${map.name}`
      if (map.draft !== undefined) this.#replaced.push(map.draft)
      map.isReplaced = true
      map.draft = this.#openDraftOf(value) ?? new OpenMap(PersistentMap.from(value))
      this.#draft[map.name] = map.draft
    }
    return undefined
  }

  /**
   * Makes a copy of the draft the base: a fold that kept its draft cannot change the base. A draft
   * that equals the base field by field leaves the base as it was.
   */
  seal(): void {
    if (this.#draft === undefined) return
    const sealed = { ...this.#draft }
    for (const map of this.#maps) {
      noteTouched(map)
      if (map.draft !== undefined) sealed[map.name] = map.draft.close()
    }
    for (const draft of this.#replaced) draft.close()
    // A draft that a fold put into a field of its own: nobody may see it in a published state.
    for (const name in sealed) {
      const value = sealed[name]
      if (value instanceof OpenMap) sealed[name] = PersistentMap.from(value)
    }
    if (!isEqual(sealed, this.#base)) this.#base = sealed
    this.dropDraft()
  }

  dropDraft(): void {
    this.#draft = undefined
    if (this.#replaced.length > 0) this.#replaced = []
    for (const map of this.#maps) map.draft = undefined
  }

  /** Drops the draft and starts over from another base. */
  reset(base: StateFields): void {
    this.dropDraft()
    this.#base = base
    for (const map of this.#maps) map.touched = []
  }

  /** Calls `visit` for each map that changed since the last call, with the keys that were touched. */
  takeTouched(visit: (field: string, touched: Touched) => void): void {
    for (const map of this.#maps) {
      if (map.touched.length === 0) continue
      const { touched } = map
      map.touched = []
      visit(map.name, touched)
    }
  }

  #open(): StateFields {
    const draft = { ...this.#base }
    for (const map of this.#maps) {
      map.isReplaced = false
      map.draft = new OpenMap(entriesOf(draft, map.name))
      draft[map.name] = map.draft
    }
    this.#draft = draft
    return draft
  }

  // The value itself where it is an open draft of this workspace: a fold moved it to another field.
  #openDraftOf(value: unknown): OpenMap<unknown> | undefined {
    const open = [...this.#replaced, ...this.#maps.map(({ draft }) => draft)]
    return open.find((draft) => draft === value)
  }
}

function isMap(value: unknown): value is PersistentMap<unknown> | OpenMap<unknown> {
  return value instanceof PersistentMap || value instanceof OpenMap
}

function noteTouched(map: MapField): void {
  if (map.isReplaced) map.touched = 'all'
  if (map.touched === 'all' || map.draft === undefined) return
  for (const key of map.draft.changed) map.touched.push(key)
}

function isEqual(left: StateFields, right: StateFields): boolean {
  for (const name in left) if (!Object.is(left[name], right[name])) return false
  return Object.keys(left).length === Object.keys(right).length
}

/** Copies the state that a fold returned, or says in words why it is none. */
function copyState(returned: unknown): StateFields | string {
  if (typeof returned !== 'object' || returned === null) return `returned ${typeof returned}`
  try {
    if (typeof (returned as { then?: unknown }).then !== 'function') return { ...returned }
    // The mistake is reported once, here: a later rejection of the promise is not reported again.
    Promise.resolve(returned).catch(() => undefined)
    return 'returned a promise: a fold is synchronous'
  } catch {
    return 'returned a state that cannot be read'
  }
}
