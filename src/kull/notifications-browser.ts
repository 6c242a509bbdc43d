import { nameThrown } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { KullNotification, Notifier } from './notifications.js'

/** Whether the page may show notifications; `unsupported` where the browser has none. */
export type NotificationPermission = 'granted' | 'denied' | 'default' | 'unsupported'

/** What is used of a shown `Notification`. */
export interface ShownNotification {
  onclick: (() => void) | null
  close(): void
}

/** What is used of the browser's `Notification`. */
export interface NotificationConstructor {
  new (
    title: string,
    options: { readonly body: string; readonly tag: string; readonly icon?: string },
  ): ShownNotification
  readonly permission: 'granted' | 'denied' | 'default'
  requestPermission(): Promise<'granted' | 'denied' | 'default'>
}

/** The parts of a page that a notifier needs. */
export interface NotificationPage {
  readonly Notification?: NotificationConstructor | undefined
  readonly document?: { readonly visibilityState: string } | undefined
  readonly focus?: (() => void) | undefined
}

/** Options of {@link createBrowserNotifier}. */
export interface BrowserNotifierOptions {
  /** The address of a picture. */
  readonly icon?: string
  /** Told, with code `notifier-failed`, when the browser would not show a notification. */
  readonly onError?: ReportError
  /** Default: the page that the code runs in. */
  readonly page?: NotificationPage
}

/** Shows notifications through the browser. */
export interface BrowserNotifier extends Notifier {
  readonly permission: NotificationPermission
  /**
   * Asks the user for permission; to be called from a click, since browsers refuse it otherwise.
   * Nothing else asks. Never rejects.
   */
  readonly askPermission: () => Promise<NotificationPermission>
}

/**
 * Makes a notifier that uses the browser's Notification API: only with permission, only while the
 * page is hidden, and with one notification per kind, which the next replaces.
 *
 * @example
 * const notifier = createBrowserNotifier()
 * button.addEventListener('click', () => notifier.askPermission())
 * createNotifications(sync).notifications$.subscribe(notifier.show)
 */
export function createBrowserNotifier(options: BrowserNotifierOptions = {}): BrowserNotifier {
  const { icon, onError, page = globalThis as NotificationPage } = options

  function permission(): NotificationPermission {
    return page.Notification?.permission ?? 'unsupported'
  }

  function report(what: string, error: unknown): void {
    onError?.(new SyncError('notifier-failed', `The browser would not ${what}.`, { cause: error }))
  }

  function show({ kind, title, subtitle, body }: KullNotification): void {
    if (page.Notification?.permission !== 'granted') return
    if (page.document?.visibilityState !== 'hidden') return
    try {
      const shown = new page.Notification(title, {
        body: subtitle === undefined ? body : `${subtitle}\n${body}`,
        tag: `kull-${kind}`,
        ...(icon !== undefined && { icon }),
      })
      shown.onclick = () => {
        page.focus?.()
        shown.close()
      }
    } catch (error) {
      // Some have the constructor and leave it to service workers: Chrome on Android.
      report(`show a notification (${nameThrown(error)})`, error)
    }
  }

  return {
    get permission() {
      return permission()
    },
    async askPermission() {
      if (permission() !== 'default') return permission()
      try {
        return (await page.Notification?.requestPermission()) ?? permission()
      } catch (error) {
        report(`ask for permission (${nameThrown(error)})`, error)
        return permission()
      }
    },
    show,
  }
}
