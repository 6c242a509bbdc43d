import { Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { createSyncClient } from '../../src/client.js'
import type { SyncError } from '../../src/base/errors.js'
import { kull } from '../../src/kull/index.js'
import {
  createConsoleNotifier,
  createNotifications,
  describeCredits,
  type KullNotification,
} from '../../src/kull/notifications.js'
import { createBrowserNotifier } from '../../src/kull/notifications-browser.js'

const added = { userId: 'u1', newBalance: 500, change: 100, reason: 'Purchase' }

function createNews() {
  const subjects = new Map<string, Subject<{ data: unknown }>>()
  const of = (type: string) => {
    const subject = subjects.get(type) ?? new Subject<{ data: unknown }>()
    subjects.set(type, subject)
    return subject
  }
  return {
    on: (type: string) => of(type) as Subject<unknown> as Subject<{ data: never }>,
    tell: (type: string, data: unknown) => of(type).next({ data }),
    observed: () => [...subjects.values()].filter((subject) => subject.observed).length,
  }
}

describe('notifications', () => {
  it('[NOTE-1] say what the product says', () => {
    for (const [change, newBalance, body] of [
      [100, 500, 'Added 100 credits. New balance: 500'],
      [-20, 480, 'Used 20 credits. Remaining: 480'],
      [0, 480, 'Balance updated: 480'],
      [-0, 480, 'Balance updated: 480'],
    ] as const) {
      expect(describeCredits({ ...added, change, newBalance })).toEqual({
        kind: 'credits',
        title: 'Credit Update',
        subtitle: 'Purchase',
        body,
      })
    }
    expect(describeCredits({ ...added, reason: '' })).not.toHaveProperty('subtitle')
  })

  it('[NOTE-2] are streams, and nothing happens until somebody listens', () => {
    const news = createNews()
    const { notifications$, promptChanges$, adminUpdates$ } = createNotifications(news)
    expect(news.observed()).toBe(0)
    news.tell('CREDIT_UPDATE', added)
    const seen: unknown[] = []
    notifications$.subscribe((value) => seen.push(value))
    promptChanges$.subscribe((value) => seen.push(value))
    adminUpdates$.subscribe((value) => seen.push(value))
    const prompt = { promptId: 'p1', action: 'voted' }
    const admin = { sessionId: 's1', action: 'new_message' }
    news.tell('PROMPT_CHANGE', prompt)
    news.tell('ADMIN_SESSION_UPDATE', admin)
    news.tell('CREDIT_UPDATE', added)
    expect(seen).toEqual([prompt, admin, describeCredits(added)])
  })

  it('[NOTE-2] come from a client of the Kull protocol', () => {
    const sync = createSyncClient(kull, { url: 'ws://localhost', credentials: { userId: 'u1' } })
    const { notifications$ } = createNotifications(sync)
    let completed = false
    notifications$.subscribe({
      complete: () => {
        completed = true
      },
    })
    sync.dispose()
    expect(completed).toBe(true)
  })

  it('[NOTE-3] are written to a console, one line each', () => {
    const lines: string[] = []
    const { show } = createConsoleNotifier({ info: (line) => lines.push(line) })
    show(describeCredits(added))
    show(describeCredits({ ...added, reason: '' }))
    expect(lines).toEqual([
      'Credit Update (Purchase): Added 100 credits. New balance: 500',
      'Credit Update: Added 100 credits. New balance: 500',
    ])
  })
})

describe('the browser’s notifications', () => {
  const notification: KullNotification = describeCredits(added)

  function createPage(permission: 'granted' | 'denied' | 'default', visibilityState = 'hidden') {
    const shown: { title: string; options: object; click: () => void; closed: boolean }[] = []
    let asked = 0
    let focused = 0
    class FakeNotification {
      static permission = permission
      static requestPermission(this: void) {
        asked += 1
        FakeNotification.permission = 'granted'
        return Promise.resolve(FakeNotification.permission)
      }
      onclick: (() => void) | null = null
      constructor(title: string, options: object) {
        shown.push({ title, options, click: () => this.onclick?.(), closed: false })
      }
      close() {
        for (const entry of shown) entry.closed = true
      }
    }
    return {
      shown,
      page: {
        Notification: FakeNotification,
        document: { visibilityState },
        focus: () => {
          focused += 1
        },
      },
      counts: () => ({ asked, focused }),
    }
  }

  it('[NOTE-4] are shown with permission and while the page is hidden, one per kind', () => {
    const { page, shown, counts } = createPage('granted')
    const notifier = createBrowserNotifier({ page, icon: '/bolt.png' })
    notifier.show(notification)
    notifier.show(describeCredits({ ...added, reason: '' }))
    expect(shown.map(({ title, options }) => ({ title, options }))).toEqual([
      {
        title: 'Credit Update',
        options: {
          body: 'Purchase\nAdded 100 credits. New balance: 500',
          tag: 'kull-credits',
          icon: '/bolt.png',
        },
      },
      {
        title: 'Credit Update',
        options: {
          body: 'Added 100 credits. New balance: 500',
          tag: 'kull-credits',
          icon: '/bolt.png',
        },
      },
    ])
    shown[0]?.click()
    expect([counts().focused, shown[0]?.closed]).toEqual([1, true])
  })

  it('[NOTE-4] are not shown without permission, in a visible page, or where there are none', () => {
    for (const { page, shown } of [
      createPage('default'),
      createPage('denied'),
      createPage('granted', 'visible'),
    ]) {
      createBrowserNotifier({ page }).show(notification)
      expect(shown).toEqual([])
    }
    const nowhere = createBrowserNotifier()
    nowhere.show(notification)
    expect(nowhere.permission).toBe('unsupported')
  })

  it('[NOTE-5] ask for permission when told to, and at no other time', async () => {
    const { page, counts } = createPage('default')
    const notifier = createBrowserNotifier({ page })
    notifier.show(notification)
    expect([notifier.permission, counts().asked]).toEqual(['default', 0])
    expect(await notifier.askPermission()).toBe('granted')
    expect([notifier.permission, counts().asked]).toEqual(['granted', 1])
    await notifier.askPermission()
    expect(counts().asked).toBe(1)
    const denied = createPage('denied')
    expect(await createBrowserNotifier({ page: denied.page }).askPermission()).toBe('denied')
    expect(denied.counts().asked).toBe(0)
    expect(await createBrowserNotifier({ page: {} }).askPermission()).toBe('unsupported')
  })

  it('[NOTE-6] that the browser will not show are reported', async () => {
    const errors: SyncError[] = []
    class Refusing {
      static permission = 'granted' as 'granted' | 'default'
      static requestPermission(this: void) {
        return Promise.reject(new TypeError('no gesture'))
      }
      onclick = null
      constructor() {
        throw new TypeError('Illegal constructor')
      }
      close() {}
    }
    const notifier = createBrowserNotifier({
      page: { Notification: Refusing, document: { visibilityState: 'hidden' } },
      onError: (error) => errors.push(error),
    })
    notifier.show(notification)
    Refusing.permission = 'default'
    expect(await notifier.askPermission()).toBe('default')
    expect(errors.map(({ code }) => code)).toEqual(['notifier-failed', 'notifier-failed'])
  })
})
