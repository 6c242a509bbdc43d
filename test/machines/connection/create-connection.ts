import { expect } from 'vitest'
import { createActor, type InspectionEvent } from 'xstate'
import type { SyncError } from '../../../src/base/errors.js'
import { kull } from '../../../src/kull/protocol.js'
import type { ConnectionCommand } from '../../../src/machines/connection/context.js'
import {
  type ConnectionMachine,
  createConnectionMachine,
} from '../../../src/machines/connection/machine.js'
import {
  type ConnectionOptions,
  createConnectionPolicy,
} from '../../../src/machines/connection/policy.js'
import {
  type ConnectionStatus,
  getConnectionStatus,
} from '../../../src/machines/connection/status.js'
import type { RawFrame } from '../../../src/schemas/message.js'
import type { CloseCodes } from '../../../src/schemas/policy.js'
import type { CredentialsRule } from '../../../src/schemas/protocol.js'
import type { Schema } from '../../../src/schemas/schema.js'
import { createManualClock, type ManualClock } from '../../../src/testing/clock.js'
import { createFakeTransport, type FakeTransport } from '../../../src/testing/fake-transport.js'
import type { EnvironmentSignal, EnvironmentSource } from '../../../src/transport/environment.js'
import { createLink } from '../../../src/transport/link.js'
import type { Provider } from '../../../src/transport/target.js'

export interface ConnectionSetup {
  readonly policy?: ConnectionOptions
  readonly closeCodes?: CloseCodes
  readonly url?: Provider<string | URL>
  readonly credentials?: Provider<unknown>
  readonly rule?: CredentialsRule<Schema>
  readonly latencyMs?: number | (() => number)
  readonly delivery?: 'immediate' | 'manual'
  readonly random?: () => number
  readonly environment?: EnvironmentSource
  readonly inspect?: (event: InspectionEvent) => void
  readonly machine?: ConnectionMachine
  /** By how much the machine's timers come before their time, as Node's may. */
  readonly earlyMs?: number
  readonly makePing?: () => RawFrame | undefined
  readonly wrap?: (network: FakeTransport) => Pick<FakeTransport, 'connect'>
}

/** Signals sent by hand, and how many listen. */
function createSignals() {
  const listeners = new Set<(signal: EnvironmentSignal) => void>()
  return {
    watch(listener: (signal: EnvironmentSignal) => void) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    signal(signal: EnvironmentSignal) {
      for (const listener of [...listeners]) listener(signal)
    },
    get watchers() {
      return listeners.size
    },
  }
}

/** All that a connection needs: clock, fake network, real link, and the ladder of `kull`. */
export function createSurroundings(setup: ConnectionSetup = {}) {
  const clock = createManualClock()
  const network = createFakeTransport({
    clock,
    latencyMs: setup.latencyMs ?? 0,
    delivery: setup.delivery ?? 'immediate',
  })
  const signals = createSignals()
  const errors: SyncError[] = []
  const pings: number[] = []
  const pongs: number[] = []
  const report = (error: SyncError): void => {
    errors.push(error)
  }
  const link = createLink({
    transport: setup.wrap?.(network) ?? network,
    clock,
    target: { url: setup.url ?? 'ws://sync.test/ws', credentials: setup.credentials },
    credentials: setup.rule,
    makePing:
      setup.makePing ??
      (() => {
        pings.push(clock.now())
        return '{"type":"PING"}'
      }),
    onFrame(frame) {
      if (!String(frame).includes('"PONG"')) return
      pongs.push(clock.now())
      link.ponged()
    },
    report,
    maxMessageBytes: 1_000,
    maxBufferedBytes: 1_000,
    closeTimeoutMs: 2_000,
  })
  const input = {
    policy: createConnectionPolicy(setup.policy, {
      backoff: kull.backoff,
      closeCodes: setup.closeCodes,
    }),
    link,
    environment: setup.environment ?? signals,
    clock,
    random: setup.random ?? (() => 0.5),
    report,
  }
  return { clock, network, peer: network.peer, signals, errors, pings, pongs, link, input }
}

/** A connection on the real machine and the real link, over a fake network and a clock by hand. */
export function createConnection(setup: ConnectionSetup = {}) {
  const surroundings = createSurroundings(setup)
  const { clock, network } = surroundings
  const log: { readonly at: number; readonly status: ConnectionStatus }[] = []
  const { earlyMs = 0 } = setup
  const actor = createActor(setup.machine ?? createConnectionMachine(), {
    clock: {
      setTimeout: (callback, ms) => clock.setTimeout(callback, ms - earlyMs),
      clearTimeout: (handle) => {
        clock.clearTimeout(handle)
      },
    },
    input: surroundings.input,
    ...(setup.inspect !== undefined && { inspect: setup.inspect }),
  })
  actor.subscribe((snapshot) => {
    const status = getConnectionStatus(snapshot)
    if (JSON.stringify(log.at(-1)?.status) !== JSON.stringify(status)) {
      log.push({ at: clock.now(), status })
    }
  })
  actor.start()

  // Functions, so that taking one out of the object does not freeze what it says.
  const status = () => getConnectionStatus(actor.getSnapshot())
  return {
    ...surroundings,
    actor,
    /** Each status, once a change, with the time of the change. */
    log,
    status,
    state: () => status().state,
    context: () => actor.getSnapshot().context,
    states: () => log.map(({ status }) => status.state),
    /** When attempts were made. */
    attemptTimes: () => network.attempts.map(({ at }) => at),
    /** When pings reached the peer. */
    pingTimes: () => network.peer.received.flatMap(({ type, at }) => (type === 'PING' ? [at] : [])),
    /** How many sockets are connecting or open. */
    liveSockets: () =>
      network.sockets.filter(({ state }) => state === 'connecting' || state === 'open').length,
    send(type: ConnectionCommand['type']) {
      actor.send({ type })
    },
    /** Connects, and lets the peer's answer arrive. */
    open() {
      actor.send({ type: 'connect' })
      clock.advance(0)
    },
  }
}

/** Expects that the first socket, which is closing, is terminated in 2 s, and no timer remains. */
export function expectTerminationAfter2s(clock: ManualClock, network: FakeTransport): void {
  clock.advance(1_999)
  expect(network.sockets[0]).toMatchObject({ clientClose: { code: 1000 }, wasTerminated: false })
  clock.advance(1)
  expect(network.sockets[0]).toMatchObject({ state: 'closed', wasTerminated: true })
  expect(clock.pending.count).toBe(0)
}
