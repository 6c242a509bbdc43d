import { createActor } from 'xstate'
import type { SyncError } from '../../src/base/errors.js'
import { kull } from '../../src/kull/protocol.js'
import type { KullState } from '../../src/kull/state.js'
import type { LoadSnapshot } from '../../src/machines/coordinator/actors.js'
import { createFolding } from '../../src/state/folding.js'
import { createCoordinatorMachine } from '../../src/machines/coordinator/machine.js'
import type { InvalidFrame, UnknownMessage } from '../../src/schemas/message.js'
import { createReader, type ReadMessage } from '../../src/schemas/reader.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createFrameReader } from '../../src/transport/json-codec.js'

/** Everything of a Kull client between the socket and the state, on a clock driven by hand. */
export function createDevice(loadSnapshot?: LoadSnapshot) {
  const clock = createManualClock()
  const errors: SyncError[] = []
  const messages: ReadMessage[] = []
  const unknown: UnknownMessage[] = []
  const invalid: InvalidFrame[] = []
  let pongs = 0
  const folding = createFolding(kull.coordinator, { clock, report: (error) => errors.push(error) })
  const coordinator = createActor(createCoordinatorMachine(), {
    clock,
    input: { folding, clock, random: () => 1, loadSnapshot, onChanged: () => undefined },
  })
  coordinator.start()
  const read = createFrameReader(
    createReader({
      schemas: kull.receive,
      direction: kull.envelope.toClient,
      heartbeat: kull.heartbeat,
      sink: {
        message(message) {
          messages.push(message)
          folding.fold(message)
        },
        unknown: (message) => unknown.push(message),
        invalid: (frame) => invalid.push(frame),
        pinged: () => undefined,
        ponged() {
          pongs += 1
        },
      },
    }),
    (frame) => invalid.push(frame),
  )

  return {
    clock,
    coordinator,
    folding,
    errors,
    messages,
    unknown,
    invalid,
    pongs: () => pongs,
    state: (): KullState => folding.state,
    /** Takes frames as text, and publishes them as one batch. */
    hearText(...frames: readonly string[]): void {
      for (const frame of frames) read(frame)
      folding.commit()
    },
    /** Takes one message, wrapped as the server wraps it. */
    hear(type: string, data?: unknown, meta = { timestamp: 1_000, deviceId: 'server' }): void {
      read(JSON.stringify({ type, data, ...meta }))
      folding.commit()
    },
    open(): void {
      coordinator.send({ type: 'connection.opened' })
    },
    drop(): void {
      coordinator.send({ type: 'connection.dropped' })
    },
    /** Device ids, with `?` after those that are not confirmed. */
    devices: (): string[] =>
      [...folding.state.connectedDevices].map(([id, { isConfirmed }]) =>
        isConfirmed ? id : `${id}?`,
      ),
  }
}
