/** `statewire/kull`: the Kull sync protocol, its HTTP API, environments and notifications. */
export { type Api, type ApiOptions, createApi } from './create-api.js'
export type { Device, DevicePresence } from './devices.js'
export {
  createEnvironments,
  type Disposer,
  type Environments,
  type EnvironmentsOptions,
  type KnownEnvironment,
} from './environment-choice.js'
export {
  defaultEnvironment,
  defineEnvironment,
  environments,
  type KullEnvironment,
} from './environments.js'
export type { Fetch, FetchInit, FetchResponse } from './http.js'
export { type FetchJson, type LoadCreditsOptions, loadCredits } from './load-credits.js'
export {
  type AdminSessionUpdate,
  createConsoleNotifier,
  createNotifications,
  describeCredits,
  type KullNews,
  type KullNotification,
  type Notifications,
  type Notifier,
} from './notifications.js'
export {
  type BrowserNotifier,
  type BrowserNotifierOptions,
  createBrowserNotifier,
  type NotificationConstructor,
  type NotificationPage,
  type NotificationPermission,
  type ShownNotification,
} from './notifications-browser.js'
export { type KullCredentials, kull } from './protocol.js'
export type { Shoot, ShootProgress, ShootStatus } from './shoots.js'
export {
  type CreditUpdate,
  isAnyShooting,
  type KullState,
  overallProgress,
  type PromptChange,
  totalImagesProcessing,
  totalImagesToProcess,
} from './state.js'
