/** Turns at something that one has at a time. */
export interface Turns {
  /**
   * Waits for a turn, and gives the function that ends it; `undefined` where one of the signals
   * was aborted before.
   */
  take(...signals: readonly AbortSignal[]): Promise<(() => void) | undefined>
}

/** Makes turns, in the order in which they are asked for. */
export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve()
  return {
    take(...signals) {
      const before = last
      let finish: () => void = () => undefined
      last = new Promise((resolve) => {
        finish = resolve
      })
      return new Promise((resolve) => {
        function giveUp(): void {
          // Its place in the line is passed on when it would have been its turn.
          void before.then(finish)
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
          settle(finish)
        })
      })
    },
  }
}
