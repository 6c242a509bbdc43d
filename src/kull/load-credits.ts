/** The part of `fetch` that is used. */
export type FetchJson = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
) => Promise<{
  readonly ok: boolean
  readonly status: number
  readonly json: () => Promise<unknown>
}>

/** Options of {@link loadCredits}. */
export interface LoadCreditsOptions {
  /** The address of the HTTP routes. A function is called for each load. */
  readonly baseUrl: string | (() => string)
  /** For example a bearer token. A function is called for each load, and may be asynchronous. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
  /** Default: the platform's. */
  readonly fetch?: FetchJson
}

/**
 * Makes the `loadSnapshot` of a Kull client: it loads the balance, from
 * `GET /api/kull/credits/summary`. It rejects unless the server answers with success; the client
 * reports that and tries again.
 *
 * @example
 * createSyncClient(kull, { url, credentials, loadSnapshot: loadCredits({ baseUrl, headers }) })
 */
export function loadCredits(
  options: LoadCreditsOptions,
): (info: { readonly signal: AbortSignal }) => Promise<unknown> {
  const { baseUrl, headers = {}, fetch = globalThis.fetch } = options
  return async ({ signal }) => {
    const base = typeof baseUrl === 'function' ? baseUrl() : baseUrl
    const given = typeof headers === 'function' ? await headers() : headers
    const response = await fetch(`${base.replace(/\/+$/, '')}/api/kull/credits/summary`, {
      headers: { accept: 'application/json', ...given },
      signal,
    })
    if (!response.ok)
      throw new Error(`the server answered the credit summary with status ${response.status}`)
    return response.json()
  }
}
