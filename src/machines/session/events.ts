import type { FarewellEvent } from './actors.js'
import type { Grant } from './ports.js'

/** What may be asked of a session. */
export type SessionCommand =
  /** Looks for a stored session. */
  | { readonly type: 'start' }
  /** Asks for a code. */
  | { readonly type: 'link' }
  /** Gives the code up. */
  | { readonly type: 'cancel' }
  | { readonly type: 'signOut' }
  /** Gets a newer access token than that of a generation. */
  | { readonly type: 'renew'; readonly generation: number }

/** Everything a session hears. */
export type SessionEvent =
  | SessionCommand
  /** The server refused tokens, and then their successors, which are of this generation. */
  | { readonly type: 'credentials.refused'; readonly generation: number }
  /** Another tab has put newer tokens of the same user in the store. */
  | { readonly type: 'store.replaced'; readonly grant: Grant }
  /** Another tab has signed out. */
  | { readonly type: 'store.vanished' }
  /** Another tab has signed in, as someone whom we do not know here. */
  | { readonly type: 'store.foreign' }
  | FarewellEvent
