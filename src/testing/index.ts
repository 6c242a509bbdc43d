export {
  createManualClock,
  type ManualClock,
  type ManualClockOptions,
  type PendingTimers,
} from './clock.js'
export { createClockScheduler } from './clock-scheduler.js'
export type { DeliveryMode } from './fake-network.js'
export { drawFaultScript, type FaultScriptOptions, faultKinds } from './draw-faults.js'
export type { FakeSocketState } from './fake-connection.js'
export type { AttemptActions, ConnectionActions, FakeSocket, UpgradeAnswer } from './fake-socket.js'
export type { AttemptScript, FakePeer, Reply } from './fake-peer.js'
export {
  createFakeTransport,
  type FakeAttempt,
  type FakeTransport,
  type FakeTransportOptions,
} from './fake-transport.js'
export type { BodyArguments, ReceivedMessage, WireProtocol } from './fake-wire.js'
export {
  type FaultScript,
  type FaultStep,
  type LastingFault,
  type MomentaryFault,
  playFaults,
} from './fault-script.js'
export { createSeededIds, createSeededRandom } from './random.js'
export {
  createRecorder,
  type Recordable,
  type RecordedEntry,
  type RecordedValues,
  type Recorder,
  type Recording,
  type Watchable,
} from './recorder.js'
