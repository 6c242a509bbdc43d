// What runs in each tab: the session as an app would make it, within reach of the test.
import { createApi } from 'statewire/kull'
import { createDeviceId, createSession } from 'statewire/session'
import { createBrowserStore } from 'statewire/storage'

const store = createBrowserStore()
const deviceId = createDeviceId({ store })
const sync: string[] = []
const errors: string[] = []
const session = createSession({
  api: createApi({ baseUrl: location.origin }),
  store,
  deviceId: deviceId.get,
  device: { deviceName: 'Chromium', platform: 'web', appVersion: '1.0.0' },
  sync: {
    start: () => sync.push('start'),
    stop: () => sync.push('stop'),
    reconnect: () => sync.push('reconnect'),
  },
  onError: (error) => errors.push(error.message),
})
session.start()

/** What the test reaches in a tab. */
export interface TabGlobals {
  readonly statewire: {
    readonly session: typeof session
    readonly deviceId: typeof deviceId
    readonly sync: readonly string[]
    readonly errors: readonly string[]
  }
}

Object.assign(globalThis, { statewire: { session, deviceId, sync, errors } })
