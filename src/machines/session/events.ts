import type { Grant } from './ports.js'

/** What a session can be asked to do. */
export type SessionCommand =
  /** Looks for a stored session. */
  | { readonly type: 'start' }
  /** Asks for a code. */
  | { readonly type: 'link' }
  /** Gives the code up. */
  | { readonly type: 'cancel' }
  | { readonly type: 'signOut' }
  /** Gets an access token that is newer than the one of this generation. */
  | { readonly type: 'renew'; readonly generation: number }

/** The server was told that the tokens are not used any more, or the attempt failed. */
export interface RevocationEvent {
  readonly type: 'revocation.ended'
  /** The id of the actor that told it. */
  readonly id: string
}

/** Every event of a session machine. */
export type SessionEvent =
  | SessionCommand
  /** The server refused tokens, and then refused their successors, which are of this generation. */
  | { readonly type: 'credentials.refused'; readonly generation: number }
  /** Another tab stored newer tokens of the same user. */
  | { readonly type: 'store.replaced'; readonly grant: Grant }
  /** Another tab signed out. */
  | { readonly type: 'store.vanished' }
  /** Another tab signed a user in who is not the one signed in here. */
  | { readonly type: 'store.foreign' }
  | RevocationEvent
