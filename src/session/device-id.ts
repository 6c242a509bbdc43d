import { createUuid } from '../base/uuid.js'
import type { KeyValueStore } from '../storage/store.js'

/** The id of this device, which tells it from the user's other devices. */
export interface DeviceId {
  /** Gives the id. The first call makes it. */
  readonly get: () => Promise<string>
  /** Makes another id, as if this were a new device. */
  readonly reset: () => Promise<string>
}

/** Options of {@link createDeviceId}. */
export interface DeviceIdOptions {
  /** Where the id is stored: not in the scope of an environment, as it is the same in all of them. */
  readonly store: KeyValueStore
}

/** The key of the device id in its store. */
const DEVICE_ID_KEY = 'device-id'
const uuid = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/

/**
 * Makes the id of the device: an upper-case UUID, made once and stored. All callers get the same
 * id, even if several calls or two tabs ask for it at once for the first time.
 */
export function createDeviceId({ store }: DeviceIdOptions): DeviceId {
  let known: Promise<string> | undefined

  async function storeId(change: (current: string | undefined) => string): Promise<string> {
    // `update` may call the function more than once; it has to give the same id each time.
    const id = createUuid().toUpperCase()
    const stored = await store.update(DEVICE_ID_KEY, (current) => change(current) || id)
    return stored ?? id
  }

  function remember(id: Promise<string>): Promise<string> {
    known = id
    // After a failure the next call tries again.
    id.catch(() => {
      if (known === id) known = undefined
    })
    return id
  }

  return {
    get: () => known ?? remember(storeId(uuidOrNothing)),
    reset: () => remember(storeId(() => '')),
  }
}

// A value that is no UUID is damaged, or not ours.
function uuidOrNothing(current: string | undefined): string {
  const id = current?.toUpperCase() ?? ''
  return uuid.test(id) ? id : ''
}
