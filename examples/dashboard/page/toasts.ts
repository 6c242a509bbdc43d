import type { KullNotification } from 'statewire/kull'

/** What has just been told to the user: of one kind, the newest alone. */
export type Toasts = {
  show(notification: KullNotification, nowMs: number): void
  dismiss(kind: KullNotification['kind']): void
  /** Those whose time is not up. */
  at(nowMs: number): readonly KullNotification[]
}

/** Makes {@link Toasts} that stay for a while. They have no timer: whoever draws them looks at the time. */
export function createToasts(lifeMs: number): Toasts {
  const shown = new Map<
    KullNotification['kind'],
    { notification: KullNotification; until: number }
  >()
  return {
    show(notification, nowMs) {
      shown.set(notification.kind, { notification, until: nowMs + lifeMs })
    },
    dismiss(kind) {
      shown.delete(kind)
    },
    at: (nowMs) =>
      [...shown.values()]
        .filter(({ until }) => nowMs < until)
        .map(({ notification }) => notification),
  }
}
