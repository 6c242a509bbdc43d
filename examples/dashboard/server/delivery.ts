import type { kull } from 'statewire/kull'
import { createMemoryLog, type DeliveryLog, type ServerDeliveryOptions } from 'statewire/server'
import { openFileLog } from 'statewire/server/file-log'

type KullDelivery = ServerDeliveryOptions<typeof kull.receive, typeof kull.send>

/** What an environment sent and acknowledged, from one start of its server to the next. */
export type DeliveryMemory = {
  /** Opens it for a server that starts. */
  open(): Promise<OpenMemory>
}

/** A memory that a server uses. */
export type OpenMemory = {
  readonly delivery: KullDelivery
  /** Lets go of it, once the server is closed. */
  end(): Promise<void>
}

/** Over how long devices come back to a server that was restarted: somebody is watching. */
const drainSpreadMs = 500

/** Why a progress is not taken, as the device's receipt has it. */
const nameless = 'no-shoot-id'

/** Makes the memory of an environment, in a folder of its own; without one, in this process. */
export function createDeliveryMemory(folder: string | undefined): DeliveryMemory {
  if (folder === undefined) {
    const memory = { delivery: deliveryWith(createMemoryLog()), end: () => Promise.resolve() }
    return { open: () => Promise.resolve(memory) }
  }
  return {
    async open() {
      const log = await openFileLog({ directory: folder })
      return { delivery: deliveryWith(log), end: () => log.end() }
    },
  }
}

function deliveryWith(log: DeliveryLog): KullDelivery {
  return {
    log,
    drainSpreadMs,
    // So that there is something to be refused. It goes to nobody: it would be a line without a name.
    accept: ({ type, payload }) =>
      type === 'UPDATE_PROGRESS' && payload.shootId === '' ? { refuse: nameless } : undefined,
  }
}
