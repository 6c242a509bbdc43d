/** Lets callers take turns, in the order in which they ask. */
export class Turns {
  /** Settles when the last turn that was asked for has ended. */
  #last: Promise<void> = Promise.resolve()

  /**
   * Waits for a turn, and gives the function that ends it. Gives `undefined` if one of the signals
   * aborts first.
   */
  take(...signals: readonly AbortSignal[]): Promise<(() => void) | undefined> {
    const before = this.#last
    let endTurn: () => void = () => undefined
    this.#last = new Promise((resolve) => {
      endTurn = resolve
    })
    return new Promise((resolve) => {
      function giveUp(): void {
        // The turn still comes, and ends at once, so that the next caller gets its own.
        void before.then(endTurn)
        settle(undefined)
      }
      function settle(turn: (() => void) | undefined): void {
        for (const signal of signals) signal.removeEventListener('abort', giveUp)
        resolve(turn)
      }
      if (signals.some(({ aborted }) => aborted)) {
        giveUp()
        return
      }
      for (const signal of signals) signal.addEventListener('abort', giveUp)
      void before.then(() => {
        settle(endTurn)
      })
    })
  }
}
