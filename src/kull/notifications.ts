import { map, type Observable } from 'rxjs'
import type * as z from 'zod/mini'
import type { adminSessionUpdate } from '../schemas/kull/admin.js'
import type { CreditUpdate } from './credits.js'
import type { PromptChange } from './prompts.js'

/** What `ADMIN_SESSION_UPDATE` says. */
export type AdminSessionUpdate = z.output<typeof adminSessionUpdate>

/** Where the news come from: a client of the Kull protocol is one. */
export interface KullNews {
  on(type: 'CREDIT_UPDATE'): Observable<{ readonly data: CreditUpdate }>
  on(type: 'PROMPT_CHANGE'): Observable<{ readonly data: PromptChange }>
  on(type: 'ADMIN_SESSION_UPDATE'): Observable<{ readonly data: AdminSessionUpdate }>
}

/** Something to show to the user, in the product's words. */
export interface KullNotification {
  /** What it is about: of one kind, the newest replaces the one before. */
  readonly kind: 'credits'
  readonly title: string
  /** Absent where there is nothing to say. */
  readonly subtitle?: string
  readonly body: string
}

/** What there is to tell. Nothing is shown unless somebody subscribes and shows it. */
export interface Notifications {
  readonly notifications$: Observable<KullNotification>
  readonly promptChanges$: Observable<PromptChange>
  /** Only admins are sent these. */
  readonly adminUpdates$: Observable<AdminSessionUpdate>
}

/** Something that shows notifications, in its own way. */
export interface Notifier {
  readonly show: (notification: KullNotification) => void
}

/**
 * Makes streams of what users are told.
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

/** The words for a credit change. */
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

/** Makes a notifier that writes one line each. */
export function createConsoleNotifier(console: { info(line: string): void }): Notifier {
  return {
    show({ title, subtitle, body }) {
      console.info(subtitle === undefined ? `${title}: ${body}` : `${title} (${subtitle}): ${body}`)
    },
  }
}
