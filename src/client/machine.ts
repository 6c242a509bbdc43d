/*
 * The root of a client's actor system. It has no states; it only holds the actors together, so
 * that an inspector shows the client as one tree:
 *
 *   client ─┬─ connection
 *           ├─ coordinator
 *           └─ delivery ─── outbox      (without delivery: an actor that does nothing)
 */
import { type ActorRefFrom, type AnyActorLogic, setup } from 'xstate'
import type { ConnectionInput } from '../machines/connection/context.js'
import { createConnectionMachine } from '../machines/connection/machine.js'
import { type CoordinatorInput, createCoordinatorMachine } from '../machines/coordinator/machine.js'

/** What the actors of a client need. */
export interface ClientInput {
  readonly connection: ConnectionInput
  readonly coordinator: CoordinatorInput
  readonly delivery: unknown
}

/** The actors that the client speaks to. */
export interface ClientActors {
  readonly connection: ActorRefFrom<ReturnType<typeof createConnectionMachine>>
  readonly coordinator: ActorRefFrom<ReturnType<typeof createCoordinatorMachine>>
}

/** The root machine. */
export type ClientMachine = ReturnType<typeof makeClientMachine>

const machines = new WeakMap<AnyActorLogic, ClientMachine>()

/** The root machine for a kind of delivery. Made on first use; all clients of that kind share it. */
export function createClientMachine(delivery: AnyActorLogic): ClientMachine {
  const machine = machines.get(delivery) ?? makeClientMachine(delivery)
  machines.set(delivery, machine)
  return machine
}

function makeClientMachine(delivery: AnyActorLogic) {
  return setup({
    types: { context: {} as ClientActors, input: {} as ClientInput },
    actors: {
      connection: createConnectionMachine(),
      coordinator: createCoordinatorMachine(),
      delivery,
    },
  }).createMachine({
    id: 'client',
    context: ({ input, spawn }) => {
      const context = {
        connection: spawn('connection', { id: 'connection', input: input.connection }),
        coordinator: spawn('coordinator', { id: 'coordinator', input: input.coordinator }),
      }
      spawn('delivery', { id: 'delivery', input: input.delivery })
      return context
    },
  })
}
