import { fromCallback } from 'xstate'
import { type ReportError, SyncError } from '../../base/errors.js'
import type { EnvironmentSignal, EnvironmentSource } from '../../transport/environment.js'
import type { CallbackScope } from '../callback-scope.js'
import type { Link, LinkAttempt, LinkEvent } from '../../transport/link.js'

/** What the connection machine asks of the link. */
export type LinkCommand =
  | ({ readonly type: 'socket.open' } & LinkAttempt)
  | { readonly type: 'socket.release'; readonly generation: number }
  | { readonly type: 'socket.ping'; readonly generation: number }

/** What the environment tells the connection machine. */
export interface SignalEvent {
  readonly type: `environment.${EnvironmentSignal}`
}

/** Starts or stops listening to the environment. */
export type EnvironmentCommand = { readonly type: 'watch' } | { readonly type: 'unwatch' }

/**
 * The link as an actor of the machine's system. It is invoked at the root, not in `connecting`: an
 * actor invoked there would stop, and close its socket, on the transition to `connected`.
 */
export const linkActor = fromCallback<LinkCommand, Link>(
  ({ input: link, sendBack, receive }: CallbackScope<Link, LinkEvent, LinkCommand>) => {
    const unlisten = link.listen(sendBack)
    receive((command) => {
      switch (command.type) {
        case 'socket.open':
          link.open(command)
          break
        case 'socket.release':
          link.release(command.generation)
          break
        case 'socket.ping':
          link.ping(command.generation)
          break
        default:
          command satisfies never
      }
    })
    return () => {
      unlisten()
      link.dispose()
    }
  },
)

/** What {@link environmentActor} needs. */
export interface EnvironmentInput {
  readonly environment: EnvironmentSource
  readonly report: ReportError
}

/**
 * The environment as an actor. A source is the user's code: an error of it is reported, and must not
 * reach the actor system, which would then skip the clean-up.
 */
export const environmentActor = fromCallback<EnvironmentCommand, EnvironmentInput>(
  ({
    input: { environment, report },
    sendBack,
    receive,
  }: CallbackScope<EnvironmentInput, SignalEvent, EnvironmentCommand>) => {
    let unwatch: (() => void) | undefined
    function attempt(run: () => void): void {
      try {
        run()
      } catch (cause) {
        report(new SyncError('environment-failed', 'The environment source threw.', { cause }))
      }
    }
    function start(): void {
      attempt(() => {
        unwatch ??= environment.watch((signal) => sendBack({ type: `environment.${signal}` }))
      })
    }
    function stop(): void {
      const stopWatching = unwatch
      unwatch = undefined
      attempt(() => stopWatching?.())
    }
    receive(({ type }) => (type === 'watch' ? start() : stop()))
    return stop
  },
)
