export type { Authenticate, AuthenticationContext } from './authentication.js'
export type {
  AnyIncomingMessage,
  ConnectedClient,
  IncomingHandlers,
  IncomingMessage,
  Outgoing,
  OutgoingBody,
  SocketEnd,
} from './client.js'
export type { ListeningAddress } from './http-listener.js'
export type { ServerLogEntry, ServerLogger, ServerLogPart } from './logging.js'
export type { ServedProtocol, SyncServerOptions } from './options.js'
export type { ConnectedDevice } from './presence.js'
export { createSyncServer } from './create-sync-server.js'
export type { CloseOptions, SyncServer } from './sync-server.js'
export type { ServerCounters, ServerStats } from './stats.js'
export type {
  ClientMark,
  DeliveryLog,
  LogChange,
  LoggedCheckpoint,
  LoggedMessage,
  LogPosition,
  UserLog,
} from './log/delivery-log.js'
export { createMemoryLog, type MemoryLogOptions } from './log/memory-log.js'
export type { MessageRefusal, ServerDeliveryOptions } from './delivery/options.js'
export type { DeliveryCounters } from './delivery/stats.js'
export type { HandleUpgrade } from './handle-upgrade.js'
