import type { KullNotification } from 'statewire/kull'

/** The latest messages to the user: one of each kind, the newest. */
export type Toasts = {
  show(notification: KullNotification, nowMs: number): void
  dismiss(kind: KullNotification['kind']): void
  /** The messages that have not expired. */
  at(nowMs: number): readonly KullNotification[]
}

/** Makes {@link Toasts} that expire. They have no timer: they compare times when they are read. */
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
