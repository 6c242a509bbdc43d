import type { MessageMeta } from '../schemas/envelope.js'

/** Where a client stands in what a server tells all of a user's devices. */
export interface CursorPosition {
  readonly epoch: string
  /** The number of the last message that was taken in; 0 for none. */
  readonly seq: number
}

/** What a message with a number turned out to be. */
export type Sighting =
  /** The next one: take it in. */
  | 'next'
  /** It was taken in before. */
  | 'duplicate'
  /** Something before it is missing, or it counts in another epoch. */
  | 'gap'
  /** It is not known yet where we stand. */
  | 'early'

/** Keeps the order of numbered messages: each is taken in once, and none after a gap. */
export interface Cursor {
  /** `undefined` where there is no state yet that messages could follow. */
  readonly position: CursorPosition | undefined
  /** Looks at a message's number; the cursor moves where it is the next. */
  see(meta: MessageMeta): Sighting
  /** Whether the server has more than we have seen. */
  isBehind(head: CursorPosition): boolean
  /** From now on the server sends what follows the position. */
  follow(): void
  /** The state is the one at this position; messages follow it. */
  set(position: CursorPosition): void
  /** From now on nothing is taken in until it is known where we stand. */
  hold(): void
  /** The state is gone. */
  forget(): void
}

/** Makes the cursor of a client without state. */
export function createCursor(): Cursor {
  let position: CursorPosition | undefined
  let isFollowing = false
  return {
    get position() {
      return position
    },
    see({ seq, epoch }) {
      if (seq === undefined) return 'next'
      if (!isFollowing || position === undefined) return 'early'
      if (epoch !== position.epoch) return 'gap'
      if (seq <= position.seq) return 'duplicate'
      if (seq > position.seq + 1) return 'gap'
      position = { epoch, seq }
      return 'next'
    },
    isBehind: ({ epoch, seq }) =>
      isFollowing && position !== undefined && (epoch !== position.epoch || seq > position.seq),
    follow() {
      isFollowing = position !== undefined
    },
    set(next) {
      position = next
      isFollowing = true
    },
    hold() {
      isFollowing = false
    },
    forget() {
      position = undefined
      isFollowing = false
    },
  }
}
