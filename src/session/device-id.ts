import type { KeyValueStore } from '../storage/store.js'
import { createUuid } from '../base/uuid.js'

/** Tells this device from the user's others. */
export interface DeviceId {
  /** The id, made when it is asked for first. */
  readonly get: () => Promise<string>
  /** Makes another, as if on a new device. */
  readonly reset: () => Promise<string>
}

/** Options of {@link createDeviceId}. */
export interface DeviceIdOptions {
  /** Where it is kept: not in a scope of an environment, since the device is the same in all. */
  readonly store: KeyValueStore
  /** Makes a UUID. Default: a random one. */
  readonly makeUuid?: () => string
}

const KEY = 'device-id'
const uuid = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/

/**
 * Makes the device's identity: an upper-case UUID, made once and kept. Whoever asks first, even
 * several at once or in two tabs, all get the same.
 */
export function createDeviceId({ store, makeUuid = createUuid }: DeviceIdOptions): DeviceId {
  let known: Promise<string> | undefined

  async function agree(change: (current: string | undefined) => string): Promise<string> {
    // An update may be tried more than once; it must make the same id each time.
    const id = makeUuid().toUpperCase()
    const stands = await store.update(KEY, (current) => change(current) || id)
    return stands ?? id
  }

  function remember(id: Promise<string>): Promise<string> {
    known = id
    // A failure is not remembered.
    id.catch(() => {
      if (known === id) known = undefined
    })
    return id
  }

  return {
    get: () => known ?? remember(agree(keepUuid)),
    reset: () => remember(agree(() => '')),
  }
}

// What is no UUID was not written by us, or was damaged.
function keepUuid(current: string | undefined): string {
  const id = current?.toUpperCase() ?? ''
  return uuid.test(id) ? id : ''
}
