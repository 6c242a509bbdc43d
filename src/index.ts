export { createSyncClient } from './client.js'
export type { PayloadArgs, SyncClient, SyncSnapshot } from './client/sync-client.js'
export type { Delivery, Resync, ResyncReason } from './delivery/port.js'
export {
  createConsoleLogger,
  type LogEntry,
  type Logger,
  type LogPart,
} from './base/log.js'
export type {
  CommonOptions,
  CredentialsOption,
  Inspect,
  SyncOptions,
} from './client/options.js'
export type {
  DeliveryCounts,
  OutboxState,
  OutboxView,
  WaitingMessage,
} from './delivery/outbox-view.js'
export type {
  NotSentReason,
  Receipt,
  SendOutcome,
  UnknownReason,
} from './delivery/receipt.js'
export { type Clock, createSystemClock, type Random, type TimerHandle } from './base/clock.js'
export { type ReportError, SyncError, type SyncErrorCode } from './base/errors.js'
export { standardBackoff } from './machines/backoff.js'
export type {
  ConnectionCommand,
  ConnectionContext,
  ConnectionEvent,
  ConnectionInput,
} from './machines/connection/context.js'
export { type ConnectionMachine, createConnectionMachine } from './machines/connection/machine.js'
export {
  type ConnectionOptions,
  type ConnectionPolicy,
  createConnectionPolicy,
  standardDurations,
} from './machines/connection/policy.js'
export { type ConnectionStatus, getConnectionStatus } from './machines/connection/status.js'
export type { FinalError } from './machines/connection/verdict.js'
export type { LoadInfo, LoadSnapshot } from './machines/coordinator/actors.js'
export { createFolding, type Folding } from './state/folding.js'
export {
  type CoordinatorInput,
  createCoordinatorMachine,
} from './machines/coordinator/machine.js'
export { createSummary, type Summary } from './base/map-summary.js'
export { type MapDraft, PersistentMap } from './base/persistent-map.js'
export {
  type CheckpointRule,
  type CoordinatorDefinition,
  defineCoordinator,
  type Draft,
  type EntryOf,
  type ExpireRule,
  type Fold,
  type FoldResult,
  type PresenceRule,
  type SnapshotRule,
} from './schemas/coordinator.js'
export {
  createEnvelope,
  type Envelope,
  type EnvelopeDirection,
  type EnvelopeFields,
  type MessageMeta,
  type OpenedFrame,
} from './schemas/envelope.js'
export type {
  AnyMessage,
  InvalidFrame,
  InvalidReason,
  MessageOf,
  RawFrame,
  UnknownMessage,
} from './schemas/message.js'
export type { OutboxRule, OutboxRules, SendOptions, WhenFull } from './schemas/outbox-rule.js'
export type { BackoffPolicy, CloseCodes, CloseVerdict, Heartbeat } from './schemas/policy.js'
export {
  type ConnectRequest,
  type CredentialsRule,
  defineProtocol,
  type Protocol,
  type ProtocolDefinition,
  type Authentication,
  type Identity,
  type ServerBehaviour,
  type UpgradeRequest,
} from './schemas/protocol.js'
export type {
  BodyInputOf,
  BodyOf,
  CompileSchema,
  Issue,
  MessageSchemas,
  Schema,
  TypeOf,
} from './schemas/schema.js'
export {
  type BatchScheduler,
  frameBatches,
  immediateBatches,
  microtaskBatches,
  timedBatches,
} from './streams/batching.js'
export type { EnvironmentSignal, EnvironmentSource } from './transport/environment.js'
export type { ConnectionFailure } from './transport/failure.js'
export {
  createLink,
  type Handover,
  type Link,
  type LinkAttempt,
  type LinkEvent,
  type LinkOptions,
} from './transport/link.js'
export { createPlatformEnvironment } from './transport/environment.js'
export type { AttemptInfo, Provider, ProviderFunction, Target } from './transport/target.js'
export type {
  Socket,
  SocketHandlers,
  SocketRequest,
  Transport,
} from './transport/transport.js'
export {
  createWebSocketTransport,
  type WebSocketConstructor,
  type WebSocketLike,
  type WebSocketTransportOptions,
} from './transport/websocket.js'
