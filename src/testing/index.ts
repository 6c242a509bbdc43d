export {
  createManualClock,
  type ManualClock,
  type ManualClockOptions,
  type PendingTimers,
} from './clock.js'
export type { DeliveryMode } from './delivery.js'
export type { UpgradeAnswer } from './fake-failures.js'
export type { AttemptScript, FakePeer, Reply } from './fake-peer.js'
export type {
  AttemptActions,
  ConnectionActions,
  FakeSocket,
  FakeSocketState,
} from './fake-socket.js'
export {
  createFakeTransport,
  type FakeAttempt,
  type FakeTransport,
  type FakeTransportOptions,
} from './fake-transport.js'
export type { BodyArguments, ReceivedMessage, WireProtocol } from './fake-wire.js'
