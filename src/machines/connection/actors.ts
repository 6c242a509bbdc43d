import { fromCallback } from 'xstate'
import { type ReportError, SyncError } from '../../base/errors.js'
import type { EnvironmentSignal, EnvironmentSource } from '../../transport/environment.js'
import type { Link, LinkAttempt, LinkEvent } from '../../transport/link.js'

/** What the connection machine asks of the link. */
export type LinkCommand =
  | ({ readonly type: 'socket.open' } & LinkAttempt)
  | { readonly type: 'socket.release'; readonly generation: number }
  | { readonly type: 'socket.ping'; readonly generation: number }

/** What the surroundings tell the connection machine. */
export interface SignalEvent {
  readonly type: `environment.${EnvironmentSignal}`
}

/** Whether the surroundings are to be listened to. */
export type EnvironmentCommand = { readonly type: 'watch' } | { readonly type: 'unwatch' }

/**
 * The link as an actor of the machine's system. Invoked at the root, not in `connecting`: an
 * actor invoked there would die, with its socket, on the way to `connected`.
 */
export const linkActor = fromCallback<LinkCommand, { readonly link: Link }, LinkEvent>(
  ({ input: { link }, sendBack, receive }) => {
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

/**
 * The surroundings as an actor. A source is code of the user's: what it throws must not reach the
 * actor system, where it would skip the clean-up.
 */
export const environmentActor = fromCallback<
  EnvironmentCommand,
  { readonly environment: EnvironmentSource; readonly report: ReportError }
>(({ input: { environment, report }, sendBack, receive }) => {
  let unwatch: (() => void) | undefined
  function stop(): void {
    const stopWatching = unwatch
    unwatch = undefined
    attempt(() => stopWatching?.())
  }
  function attempt(run: () => void): void {
    try {
      run()
    } catch (cause) {
      report(new SyncError('environment-failed', 'The environment source threw.', { cause }))
    }
  }
  receive((command) => {
    if (command.type === 'unwatch') {
      stop()
    } else if (unwatch === undefined) {
      attempt(() => {
        unwatch = environment.watch((signal) => {
          sendBack({ type: `environment.${signal}` })
        })
      })
    }
  })
  return stop
})
