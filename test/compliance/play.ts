/** What a scripted server does with one connection. It is told in the URL, so that pages can ask too. */
export type Play =
  /** Sends back whatever comes, text as text and bytes as bytes. */
  | { readonly does: 'echo' }
  /** Sends `0`, `1`, … up to `count` messages in one go; then closes, where it is told to. */
  | { readonly does: 'count'; readonly count: number; readonly closeCode?: number }
  /** Sends one text message of so many bytes, `é` being two of them; then goes on to echo. */
  | { readonly does: 'sendBytes'; readonly bytes: number }
  /** Accepts, then closes at once. */
  | { readonly does: 'close'; readonly closeCode: number; readonly reason: string }
  /** Accepts, then breaks the connection off. */
  | { readonly does: 'drop' }
  /** Accepts, and leaves closing handshakes unanswered. */
  | { readonly does: 'neverClose' }
  /** Sends what it was asked for: `{protocol, header}`, the latter from `x-compliance`. */
  | { readonly does: 'tell' }
  /** Answers the upgrade with an HTTP status, and `Retry-After` in seconds. */
  | { readonly does: 'reject'; readonly status: number; readonly retryAfterS?: number }
  /** Takes the TCP connection and never says a word. */
  | { readonly does: 'staySilent' }
  /** Is not there: nobody listens at the port. */
  | { readonly does: 'refuse' }

/** Where the parts of a scripted server are. */
export interface ScriptedServerAddresses {
  /** Plays what the URL says. */
  readonly scripted: string
  /** Takes TCP connections and says nothing. */
  readonly silent: string
  /** Nobody listens. */
  readonly refused: string
}

/** A secret that every URL carries and no failure may repeat. */
export const TOKEN = 'user-7:secret-token'

/** The text that a `sendBytes` sends. */
export function textOfBytes(bytes: number): string {
  return 'é'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2)
}

/** Writes a play into a URL; `base` is a server's origin. */
export function urlOfPlay(base: string, play: Play): string {
  const url = new URL('/ws', base)
  url.searchParams.set('play', JSON.stringify(play))
  url.searchParams.set('token', TOKEN)
  return url.href
}

/** Reads the play of a URL, or of a request's path. */
export function playOfUrl(url: string): Play {
  const play = new URL(url, 'ws://host').searchParams.get('play')
  if (play === null) throw new Error('the URL holds no play')
  return JSON.parse(play) as Play
}

/** The address at which a scripted server does this. */
export function addressOfPlay(addresses: ScriptedServerAddresses, play: Play): string {
  switch (play.does) {
    case 'staySilent':
      return urlOfPlay(addresses.silent, play)
    case 'refuse':
      return urlOfPlay(addresses.refused, play)
    default:
      return urlOfPlay(addresses.scripted, play)
  }
}
