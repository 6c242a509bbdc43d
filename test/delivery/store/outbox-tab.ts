import type {
  IndexedDbParts,
  OutboxChannel,
  OutboxLocks,
} from '../../../src/delivery/store/indexeddb.js'
import { createManualClock, type ManualClock } from '../../../src/testing/clock.js'

interface Connection {
  close(): void
}

/** A tab as far as an outbox sees of it, which can be frozen and killed. */
export interface OutboxTab {
  readonly parts: IndexedDbParts
  readonly clock: ManualClock
  /** Whether time passes in it. */
  readonly isAwake: boolean
  crash(): void
  /** Nothing reaches it until it is thawed by the function that is given. */
  freeze(): () => void
  readonly leftovers: readonly string[]
}

/** Makes a tab of the parts of a browser, real or fake. */
export function createTab(real: IndexedDbParts): OutboxTab {
  const clock = createManualClock()
  const connections = new Set<Connection>()
  const channels = new Set<OutboxChannel>()
  const locks = new Set<() => void>()
  const waitingLocks = new Set<unknown>()
  let held: (() => void)[] | undefined
  let isDead = false

  /** Runs what comes from outside: now, when the tab is thawed, or never. */
  function arrive(run: () => void): void {
    if (isDead) return
    if (held === undefined) run()
    else held.push(run)
  }

  const tabLocks: OutboxLocks = {
    request: (name, options, run) =>
      new Promise((resolve, reject) => {
        const request = {}
        waitingLocks.add(request)
        const asked = real.locks?.request(name, options, async () => {
          let crash: () => void = () => undefined
          const crashed = new Promise<void>((end) => (crash = end))
          locks.add(crash)
          const ran = new Promise<void>((end, fail) => {
            arrive(() => {
              run().then(end, fail)
            })
          })
          await Promise.race([ran, crashed]).finally(() => locks.delete(crash))
        })
        asked
          ?.finally(() => waitingLocks.delete(request))
          .then(
            () => {
              arrive(() => resolve(undefined))
            },
            (error: unknown) => {
              // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it came
              arrive(() => reject(error))
            },
          )
      }),
  }

  return {
    clock,
    get isAwake() {
      return !isDead && held === undefined
    },
    parts: {
      locks: real.locks && tabLocks,
      indexedDB: {
        open(name, version) {
          const request = real.indexedDB.open(name, version)
          const events = request as unknown as {
            addEventListener(type: 'success', listener: () => void): void
          }
          events.addEventListener('success', () => {
            const connection = request.result as Connection
            const close = connection.close.bind(connection)
            connections.add(connection)
            connection.close = () => {
              connections.delete(connection)
              close()
            }
            if (isDead) connection.close()
          })
          return request
        },
      },
      openChannel(name) {
        const channel = real.openChannel(name)
        channels.add(channel)
        return {
          postMessage: (message) => {
            if (!isDead) channel.postMessage(message)
          },
          addEventListener: (type, listener) => {
            channel.addEventListener(type, (event) => {
              arrive(() => listener(event))
            })
          },
          close: () => {
            channels.delete(channel)
            channel.close()
          },
        }
      },
    },
    crash() {
      isDead = true
      for (const connection of [...connections]) connection.close()
      for (const channel of channels) channel.close()
      channels.clear()
      for (const release of [...locks]) release()
    },
    freeze() {
      const waiting: (() => void)[] = []
      held = waiting
      return () => {
        held = undefined
        for (const run of waiting) run()
      }
    },
    get leftovers() {
      if (isDead) return []
      return [
        ...clock.pending.deadlines.map((at) => `a timer for ${at}`),
        ...[...connections].map(() => 'a connection'),
        ...[...channels].map(() => 'a channel'),
        ...[...waitingLocks].map(() => 'a lock'),
      ]
    },
  }
}
