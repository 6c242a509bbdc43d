import { type MapEdit, PersistentMap } from '../base/persistent-map.js'

/** State of which only the names of its fields are known. */
export type StateFields = Record<string, unknown>

/** The entries of a field that holds a map. */
export type Entries = PersistentMap<unknown>

/** Which entries of a map were set or deleted: these keys, or any (the map was replaced). */
export type Touched = readonly string[] | 'all'

/**
 * The state while it is being changed: a draft for user code to write to, above a base that stays
 * as it is until the draft is sealed, so that a draft can always be dropped.
 */
export interface Workspace {
  /** The state up to the last seal. */
  readonly base: StateFields
  /** The draft over it: a shallow copy made when first asked for, its maps open for editing. */
  readonly draft: StateFields
  /**
   * Takes what a fold left behind: the draft it changed, what it returned, and maps that it put
   * where another map was.
   *
   * @returns What is wrong with it, in words; the draft is then good for nothing.
   */
  accept(returned: unknown): string | undefined
  /** Makes the draft the base. A draft that came out equal, field by field, leaves it as it was. */
  seal(): void
  dropDraft(): void
  /** Drops the draft and starts over from another base. */
  reset(base: StateFields): void
  /** Tells what was touched in each map since this was last asked. */
  takeTouched(visit: (field: string, touched: Touched) => void): void
}

interface MapField {
  readonly name: string
  edit: MapEdit<unknown> | undefined
  isReplaced: boolean
  touched: string[] | 'all'
}

/** Gives the map that a field holds. The names of such fields have been checked. */
export function entriesOf(state: StateFields, field: string): Entries {
  return state[field] as Entries
}

/** Makes a workspace; the map fields are those that hold a `PersistentMap` in `initial`. */
export function createWorkspace(initial: StateFields): Workspace {
  const maps: MapField[] = Object.keys(initial)
    .filter((name) => initial[name] instanceof PersistentMap)
    .map((name) => ({ name, edit: undefined, isReplaced: false, touched: [] }))
  let base = initial
  let draft: StateFields | undefined
  // Edits of maps that a fold has replaced: it may have kept such a map in another place.
  let replaced: MapEdit<unknown>[] = []

  function open(): StateFields {
    const opened = { ...base }
    for (const map of maps) {
      map.isReplaced = false
      map.edit = openEdit(opened, map.name)
    }
    draft = opened
    return opened
  }

  function replaceMap(map: MapField, opened: StateFields): void {
    if (map.edit !== undefined) replaced.push(map.edit)
    map.isReplaced = true
    // Where it is the map of another field, its edit is open already.
    const edits = [...replaced, ...maps.map(({ edit }) => edit)]
    const known = edits.find((edit) => edit?.map === opened[map.name])
    map.edit = known ?? openEdit(opened, map.name)
  }

  function noteTouched(map: MapField): void {
    if (map.isReplaced) map.touched = 'all'
    if (map.touched === 'all' || map.edit === undefined) return
    for (const key of map.edit.changed) map.touched.push(key)
  }

  function dropDraft(): void {
    draft = undefined
    if (replaced.length > 0) replaced = []
    for (const map of maps) map.edit = undefined
  }

  return {
    get base() {
      return base
    },
    get draft() {
      return draft ?? open()
    },
    accept(returned) {
      if (returned !== undefined && returned !== draft) {
        const copy = copyState(returned)
        if (typeof copy === 'string') return copy
        draft = copy
      }
      if (draft === undefined) return undefined
      for (const map of maps) {
        const value = draft[map.name]
        if (value === map.edit?.map) continue
        if (!(value instanceof PersistentMap)) return `left no PersistentMap in state.${map.name}`
        replaceMap(map, draft)
      }
      return undefined
    },
    seal() {
      if (draft === undefined) return
      for (const map of maps) {
        noteTouched(map)
        if (map.edit !== undefined) draft[map.name] = map.edit.close()
      }
      for (const edit of replaced) edit.close()
      if (!isEqual(draft, base)) base = draft
      dropDraft()
    },
    dropDraft,
    reset(state) {
      dropDraft()
      base = state
      for (const map of maps) map.touched = []
    },
    takeTouched(visit) {
      for (const map of maps) {
        if (map.touched.length === 0) continue
        const { touched } = map
        map.touched = []
        visit(map.name, touched)
      }
    },
  }
}

function openEdit(state: StateFields, name: string): MapEdit<unknown> {
  const edit = entriesOf(state, name).openEdit()
  state[name] = edit.map
  return edit
}

function isEqual(left: StateFields, right: StateFields): boolean {
  for (const name in left) if (!Object.is(left[name], right[name])) return false
  return Object.keys(left).length === Object.keys(right).length
}

/** Copies what a fold returned, or says in words why it is no state. */
function copyState(returned: unknown): StateFields | string {
  if (typeof returned !== 'object' || returned === null) return `returned ${typeof returned}`
  try {
    if (typeof (returned as { then?: unknown }).then !== 'function') return { ...returned }
    // Reported here, once; how it ends is nobody's concern any more.
    Promise.resolve(returned).catch(() => undefined)
    return 'returned a promise: a fold is synchronous'
  } catch {
    return 'returned a state that cannot be read'
  }
}
