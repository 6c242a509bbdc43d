import type { MessageMeta } from '../schemas/envelope.js'

/** A place in the numbered messages that a server sends to all devices of a user. */
export interface CursorPosition {
  readonly epoch: string
  /** The number of the last message that was applied; 0 for none. */
  readonly seq: number
}

/**
 * What the cursor says about a message. `next`: apply it. `duplicate`: it was applied before.
 * `gap`: one before it is missing, or it is of another epoch. `early`: `$resume` is unanswered.
 */
export type Sighting = 'next' | 'duplicate' | 'gap' | 'early'

/** Keeps the order of numbered messages: each is applied once, and none after a gap. */
export class Cursor {
  readonly #moved: (position: CursorPosition) => void
  #position: CursorPosition | undefined
  #isFollowing = false

  /** `moved` is called with each new position. */
  constructor(moved: (position: CursorPosition) => void) {
    this.#moved = moved
  }

  /** `undefined` while there is no state that messages could follow. */
  get position(): CursorPosition | undefined {
    return this.#position
  }

  /** Judges a message by its number. The cursor moves if it is the next one. */
  see({ seq, epoch }: MessageMeta): Sighting {
    if (seq === undefined) return 'next'
    const position = this.#position
    if (!this.#isFollowing || position === undefined) return 'early'
    if (epoch !== position.epoch) return 'gap'
    if (seq <= position.seq) return 'duplicate'
    if (seq > position.seq + 1) return 'gap'
    this.#move({ epoch, seq })
    return 'next'
  }

  /** Whether the server has sent more than was applied. */
  isBehind({ epoch, seq }: CursorPosition): boolean {
    const position = this.#position
    if (!this.#isFollowing || position === undefined) return false
    return epoch !== position.epoch || seq > position.seq
  }

  /** From now on the server sends the messages after the position. */
  follow(): void {
    this.#isFollowing = true
  }

  /** The state is the one at this position, and messages follow it. */
  set(position: CursorPosition): void {
    this.#move(position)
    this.#isFollowing = true
  }

  /** No numbered message is applied until the server has answered `$resume`. */
  hold(): void {
    this.#isFollowing = false
  }

  /** The state is gone. */
  forget(): void {
    this.#position = undefined
    this.#isFollowing = false
  }

  /** Continues from a stored position, unless there is one by now. */
  restore(position: CursorPosition | undefined): void {
    this.#position ??= position
  }

  #move(position: CursorPosition): void {
    this.#position = position
    this.#moved(position)
  }
}
