export type {
  AnyIncomingMessage,
  ConnectedClient,
  IncomingHandlers,
  IncomingMessage,
  Outgoing,
  OutgoingBody,
  SocketEnd,
} from './client.js'
export type { LogEntry, Logger, LogPart } from '../base/log.js'
export type {
  Authenticate,
  AuthenticationContext,
  ServedProtocol,
  SyncServerOptions,
} from './options.js'
export type { ConnectedDevice } from './presence.js'
export { createSyncServer } from './create-sync-server.js'
export type { CloseOptions, HandleUpgrade, ListeningAddress, SyncServer } from './sync-server.js'
export type { DeliveryCounters, ServerCounters, ServerStats } from './stats.js'
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
