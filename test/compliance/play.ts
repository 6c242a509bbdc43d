/**
 * What a scripted server does with one connection. The URL says it, so that a page can ask for it
 * too.
 */
export type Play =
  /** Echoes every message, text as text and bytes as bytes. */
  | { readonly does: 'echo' }
  /** Sends `0`, `1`, … up to `count` messages at once, then closes if there is a `closeCode`. */
  | { readonly does: 'count'; readonly count: number; readonly closeCode?: number }
  /** Sends one text message of this many bytes (`é` has two), then echoes. */
  | { readonly does: 'sendBytes'; readonly bytes: number }
  /** Accepts the connection and closes it at once. */
  | { readonly does: 'close'; readonly closeCode: number; readonly reason: string }
  /** Accepts the connection and breaks it off. */
  | { readonly does: 'drop' }
  /** Accepts the connection and leaves closing handshakes unanswered. */
  | { readonly does: 'neverClose' }
  /** Sends what the client asked for: `{protocol, header}`, with the header `x-compliance`. */
  | { readonly does: 'tell' }
  /** Answers the upgrade request with an HTTP status, and with `Retry-After` in seconds. */
  | { readonly does: 'reject'; readonly status: number; readonly retryAfterS?: number }
  /** Accepts the TCP connection and sends nothing. */
  | { readonly does: 'staySilent' }
  /** Cannot be reached: nothing listens on the port. */
  | { readonly does: 'refuse' }

/** The addresses of the parts of a scripted server. */
export interface ScriptedServerAddresses {
  /** Plays what the URL says. */
  readonly scripted: string
  /** Accepts TCP connections and sends nothing. */
  readonly silent: string
  /** Nothing listens here. */
  readonly refused: string
}

/** A secret that is in every URL, and that no failure may repeat. */
export const TOKEN = 'user-7:secret-token'

/** The text that `sendBytes` sends. */
export function textOfBytes(bytes: number): string {
  return 'é'.repeat(Math.floor(bytes / 2)) + 'x'.repeat(bytes % 2)
}

/** Writes a play into a URL; `base` is the origin of a server. */
export function urlOfPlay(base: string, play: Play): string {
  const url = new URL('/ws', base)
  url.searchParams.set('play', JSON.stringify(play))
  url.searchParams.set('token', TOKEN)
  return url.href
}

/** Reads the play from a URL or from the path of a request. */
export function playOfUrl(url: string): Play {
  const play = new URL(url, 'ws://host').searchParams.get('play')
  if (play === null) throw new Error('the URL holds no play')
  return JSON.parse(play) as Play
}

/** The address at which a scripted server plays this. */
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
