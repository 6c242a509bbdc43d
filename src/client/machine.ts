import { type ActorRefFrom, type AnyActorLogic, type AnyActorRef, setup } from 'xstate'
import type { ConnectionInput } from '../machines/connection/context.js'
import { createConnectionMachine } from '../machines/connection/machine.js'
import { type CoordinatorInput, createCoordinatorMachine } from '../machines/coordinator/machine.js'
import type { ChildActor } from '../delivery/port.js'

type SpawnAny = (logic: AnyActorLogic, options: { id: string; input: unknown }) => AnyActorRef

/** What the machines of a client need. */
export interface ClientInput {
  readonly connection: ConnectionInput
  readonly coordinator: CoordinatorInput
  /** Further actors of the system: those of an optional part. */
  readonly children: () => readonly ChildActor[]
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
        children: ReadonlyMap<string, AnyActorRef>
      },
      input: {} as ClientInput,
    },
    actors: { connection, coordinator },
  }).createMachine({
    id: 'client',
    context: ({ input, spawn }) => ({
      connection: spawn('connection', { id: 'connection', input: input.connection }),
      coordinator: spawn('coordinator', { id: 'coordinator', input: input.coordinator }),
      children: new Map(
        // Typed for the two above alone: the machine of a part that is not there has no type.
        input
          .children()
          .map(({ id, logic, input }) => [id, (spawn as SpawnAny)(logic, { id, input })]),
      ),
    }),
  })
}
