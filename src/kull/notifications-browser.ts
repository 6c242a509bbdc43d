import { nameThrown } from '../base/deadline.js'
import { type ReportError, SyncError } from '../base/errors.js'
import type { KullNotification, Notifier } from './notifications.js'

/** Whether the page may show notifications. `unsupported`: the browser has none. */
export type NotificationPermission = 'granted' | 'denied' | 'default' | 'unsupported'

/** The part of a shown `Notification` that is used. */
export interface ShownNotification {
  onclick: (() => void) | null
  close(): void
}

/** The part of the browser's `Notification` that is used. */
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
  /** Called with code `notifier-failed` when the browser does not show a notification. */
  readonly onError?: ReportError
  /** Default: the page in which the code runs. */
  readonly page?: NotificationPage
}

/** Shows notifications through the browser. */
export interface BrowserNotifier extends Notifier {
  readonly permission: NotificationPermission
  /**
   * Asks the user for permission. Call it from a click: browsers refuse it otherwise. Nothing else
   * asks. Never rejects.
   */
  readonly askPermission: () => Promise<NotificationPermission>
}

/**
 * Makes a notifier that uses the browser's Notification API. It shows a notification only with
 * permission and while the page is hidden. Each one replaces the former one of its kind.
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
    onError?.(new SyncError('notifier-failed', `The browser did not ${what}.`, { cause: error }))
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
      // Chrome on Android has the constructor, but allows it in service workers only.
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
