import { join } from 'node:path'
import type { kull } from 'statewire/kull'
import { createMemoryLog, type DeliveryLog, type ServerDeliveryOptions } from 'statewire/server'
import { createSqliteLog } from 'statewire/server/sqlite'

type KullDelivery = ServerDeliveryOptions<typeof kull.receive, typeof kull.send>

/** The log and the acknowledgements of an environment, which survive its server's restarts. */
export type DeliveryMemory = {
  /** Opens the log for a server that starts. */
  open(): Promise<OpenMemory>
}

/** An open log. */
export type OpenMemory = {
  readonly delivery: KullDelivery
  /** Closes the log, after the server is closed. */
  end(): Promise<void>
}

/** The time over which devices reconnect after a restart: short, since somebody is watching. */
const drainSpreadMs = 500

/** Why a progress is refused, as the device's receipt shows it. */
const nameless = 'no-shoot-id'

/** Opens the log of an environment in a folder; without a folder, in memory. */
export function createDeliveryMemory(folder: string | undefined): DeliveryMemory {
  if (folder === undefined) {
    const memory = { delivery: deliveryWith(createMemoryLog()), end: () => Promise.resolve() }
    return { open: () => Promise.resolve(memory) }
  }
  return {
    async open() {
      const log = await createSqliteLog(join(folder, 'log.sqlite'))
      return { delivery: deliveryWith(log), end: () => log.end() }
    },
  }
}

function deliveryWith(log: DeliveryLog): KullDelivery {
  return {
    log,
    drainSpreadMs,
    // Refuses a shoot without a name, so that the demo has a refused message. The page would show
    // an empty line.
    accept: ({ type, payload }) =>
      type === 'UPDATE_PROGRESS' && payload.shootId === '' ? { refuse: nameless } : undefined,
  }
}
