/** What is used of a `BroadcastChannel`. */
export interface OutboxChannel {
  postMessage(message: unknown): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  close(): void
}

/**
 * What the handles on an outbox say to each other. Hints, and no more: what happened is in the
 * database, and a hint that is lost makes it known later.
 */
export type Hint =
  /** Whoever owns the outbox answers with `alive`. */
  | { readonly hint: 'ask' }
  | { readonly hint: 'alive' }
  | { readonly hint: 'taken'; readonly fence: number }
  | { readonly hint: 'released' }
  | { readonly hint: 'added' }
  | { readonly hint: 'removed' }

/** Reads what came over the channel; `undefined` for what another version, or the page, said. */
export function parseHint(data: unknown): Hint | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const { hint, fence } = data as { readonly hint?: unknown; readonly fence?: unknown }
  switch (hint) {
    case 'ask':
    case 'alive':
    case 'released':
    case 'added':
    case 'removed':
      return { hint }
    case 'taken':
      return typeof fence === 'number' ? { hint, fence } : undefined
    default:
      return undefined
  }
}
