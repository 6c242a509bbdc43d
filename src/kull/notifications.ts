import { map, type Observable } from 'rxjs'
import type * as z from 'zod/mini'
import type { adminSessionUpdate } from '../schemas/kull.js'
import type { CreditUpdate, PromptChange } from './state.js'

/** The data of `ADMIN_SESSION_UPDATE`. */
export type AdminSessionUpdate = z.output<typeof adminSessionUpdate>

/** The source of the news. A client of the Kull protocol is one. */
export interface KullNews {
  on(type: 'CREDIT_UPDATE'): Observable<{ readonly data: CreditUpdate }>
  on(type: 'PROMPT_CHANGE'): Observable<{ readonly data: PromptChange }>
  on(type: 'ADMIN_SESSION_UPDATE'): Observable<{ readonly data: AdminSessionUpdate }>
}

/** A notification for the user, in the product's words. */
export interface KullNotification {
  /** The subject. A newer notification replaces the former one of its kind. */
  readonly kind: 'credits'
  readonly title: string
  /** Absent if the server gave no reason. */
  readonly subtitle?: string
  readonly body: string
}

/** The streams of news. A notification is shown only by a subscriber that shows it. */
export interface Notifications {
  readonly notifications$: Observable<KullNotification>
  readonly promptChanges$: Observable<PromptChange>
  /** The server sends these to admins only. */
  readonly adminUpdates$: Observable<AdminSessionUpdate>
}

/** Shows notifications. */
export interface Notifier {
  readonly show: (notification: KullNotification) => void
}

/**
 * Makes the streams of news of a client.
 *
 * @example
 * const { notifications$ } = createNotifications(sync)
 * notifications$.subscribe(createConsoleNotifier(console).show)
 */
export function createNotifications(news: KullNews): Notifications {
  return {
    notifications$: news.on('CREDIT_UPDATE').pipe(map(({ data }) => describeCredits(data))),
    promptChanges$: news.on('PROMPT_CHANGE').pipe(map(({ data }) => data)),
    adminUpdates$: news.on('ADMIN_SESSION_UPDATE').pipe(map(({ data }) => data)),
  }
}

/** Makes the notification of a credit change. */
export function describeCredits({ change, newBalance, reason }: CreditUpdate): KullNotification {
  return {
    kind: 'credits',
    title: 'Credit Update',
    ...(reason !== '' && { subtitle: reason }),
    body: describeChange(change, newBalance),
  }
}

function describeChange(change: number, newBalance: number): string {
  if (change > 0) return `Added ${change} credits. New balance: ${newBalance}`
  if (change < 0) return `Used ${-change} credits. Remaining: ${newBalance}`
  return `Balance updated: ${newBalance}`
}

/** Makes a notifier that writes one line for each notification. */
export function createConsoleNotifier(console: { info(line: string): void }): Notifier {
  return {
    show({ title, subtitle, body }) {
      console.info(subtitle === undefined ? `${title}: ${body}` : `${title} (${subtitle}): ${body}`)
    },
  }
}
