import { type ActorRefFrom, setup } from 'xstate'
import type { ConnectionInput } from '../machines/connection/context.js'
import { createConnectionMachine } from '../machines/connection/machine.js'
import { type CoordinatorInput, createCoordinatorMachine } from '../machines/coordinator/machine.js'

/** What the two machines of a client need. */
export interface ClientInput {
  readonly connection: ConnectionInput
  readonly coordinator: CoordinatorInput
}

/**
 * Makes the root of a client's actor system. It only holds the tree together, so that an
 * inspector shows the client with its connection and its coordinator.
 */
export function createClientMachine() {
  const connection = createConnectionMachine()
  const coordinator = createCoordinatorMachine()
  return setup({
    types: {
      context: {} as {
        connection: ActorRefFrom<typeof connection>
        coordinator: ActorRefFrom<typeof coordinator>
      },
      input: {} as ClientInput,
    },
    actors: { connection, coordinator },
  }).createMachine({
    id: 'client',
    context: ({ input, spawn }) => ({
      connection: spawn('connection', { id: 'connection', input: input.connection }),
      coordinator: spawn('coordinator', { id: 'coordinator', input: input.coordinator }),
    }),
  })
}
