import type { Clock, TimerHandle } from '../base/clock.js'
import type { Connection } from './client-connection.js'

/** What keeping a connection alive takes. */
type Pinged = Omit<Connection, 'bufferedBytes' | 'onFlushed'>

/** Pings sockets at the WebSocket level and lets go of those that give no pong. */
export interface KeepAlive {
  add(connection: Pinged): void
  delete(connection: Pinged): void
}

/** What {@link createKeepAlive} needs. */
export interface KeepAliveOptions {
  readonly clock: Clock
  readonly intervalMs: number
  /** Has not ponged by the ping after. */
  readonly silent: (connection: Pinged) => void
}

// After a stall (a stopped process, a blocked loop) timers run before what the network brought
// meanwhile is read, pongs included.
const LATE_MS = 1_000

/**
 * Makes a {@link KeepAlive}: one timer for all sockets, on a grid that does not drift, and none
 * while there is no socket.
 */
export function createKeepAlive(options: KeepAliveOptions): KeepAlive {
  const { clock, intervalMs } = options
  const connections = new Set<Pinged>()
  let due = 0
  let timer: TimerHandle

  function schedule(): void {
    timer = clock.setTimeout(tick, due - clock.now())
  }

  function tick(): void {
    const lateMs = clock.now() - due
    for (const connection of [...connections]) {
      if (connection.awaitsPong && lateMs < LATE_MS) options.silent(connection)
      else connection.ping()
    }
    // Node's timers may be a fraction of a millisecond early: that is no second tick.
    due += intervalMs * Math.max(1, Math.floor(lateMs / intervalMs) + 1)
    schedule()
  }

  return {
    add(connection) {
      connections.add(connection)
      if (connections.size > 1) return
      due = clock.now() + intervalMs
      schedule()
    },
    delete(connection) {
      if (!connections.delete(connection) || connections.size > 0) return
      clock.clearTimeout(timer)
    },
  }
}
