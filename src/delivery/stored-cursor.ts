import type { CursorPosition } from './cursor.js'
import type { OutboxStore } from './store/outbox-store.js'

/** The last message of the server that was applied, in this run or an earlier one. */
export class StoredCursor {
  readonly #store: OutboxStore | undefined
  #position: CursorPosition | undefined
  #isOpened: boolean

  /** Reads the stored position, and then calls `opened`. Without a storage there is none. */
  constructor(store: OutboxStore | undefined, opened: () => void) {
    this.#store = store
    this.#isOpened = store === undefined
    void store?.open().then((position) => {
      this.#position ??= position
      this.#isOpened = true
      opened()
    })
  }

  /** Whether the storage has answered, or there is none. */
  get isOpened(): boolean {
    return this.#isOpened
  }

  get position(): CursorPosition | undefined {
    return this.#position
  }

  /** Stores a new position, if there is a storage. */
  move(position: CursorPosition): void {
    if (this.#store === undefined) return
    this.#position = position
    this.#store.setCursor(position)
  }
}
