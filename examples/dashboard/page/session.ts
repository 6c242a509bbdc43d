import { createSyncClient, type SyncClient } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import {
  createApi,
  createNotifications,
  type Disposer,
  type KullEnvironment,
  type KullNotification,
  type KullState,
  type kull,
} from 'statewire/kull'
import { createSession, type Session } from 'statewire/session'
import type { KeyValueStore } from 'statewire/storage'
import { createIndexedDbDatabase } from 'statewire/storage/indexeddb'
import { signedInKull } from '../access-proof.js'
import type { PageQuery } from './address.js'
import { invalidText, messageText, unknownText } from './log-text.js'
import type { LogLine } from './message-log.js'
import { createSentReports, type SentReports } from './sent-reports.js'
import { createTellingApi } from './telling-api.js'
import { sessionDetail, sessionWords, statusDetail, statusWords } from './text.js'

/** The session of one environment, and the client that the session starts and stops. */
export type EnvironmentSession = Disposer & {
  readonly session: Session
  readonly sync: SyncClient<typeof kull.receive, typeof kull.send, KullState>
  /** The progress that this page reports itself. */
  readonly sent: SentReports
}

const sentLimit = 8

/** Adds a line to the log. */
export type Note = (kind: LogLine['kind'], title: string, text: string) => void

/**
 * Makes the session and the client of an environment. If the device is signed in, the client
 * connects by itself.
 */
export function createEnvironmentSession(options: {
  environment: KullEnvironment
  /** The device's name, as people read it. */
  environmentName: string
  /** A store for this environment alone: its tokens go to no other environment. */
  store: KeyValueStore
  deviceId: string
  deviceName: string
  timing: PageQuery['timing']
  note: Note
  /** Called with each notification for the user. */
  notify: (notification: KullNotification) => void
  /** Called after every change that the page shows. */
  onChange: () => void
}): EnvironmentSession {
  const { environment, environmentName, store, deviceId, deviceName, note, onChange } = options
  const api = createApi({ baseUrl: environment.httpUrl })
  const onError = ({ code, message }: { code: string; message: string }) => {
    note('error', code, message)
  }

  // The client asks for its outbox's key before the session exists.
  let user = ''
  let isWanted = false
  const sync = createSyncClient(signedInKull, {
    url: environment.webSocketUrl,
    credentials: (attempt): ReturnType<Session['credentials']> => session.credentials(attempt),
    async loadSnapshot({ signal }) {
      const summary = await session.authorized((token) => api.creditSummary(token, { signal }))
      if (!summary.ok) throw new Error(summary.failure.message)
      return summary.value
    },
    delivery: createDelivery({
      key: () => user && [environment.name, user, deviceId].map(encodeURIComponent).join('/'),
      database: createIndexedDbDatabase(),
    }),
    onError,
    ...options.timing,
  })
  const session = createSession({
    api: createTellingApi(api, (title, text) => {
      note('session', title, text)
    }),
    store,
    sync: {
      start() {
        isWanted = true
        // When the client connects, the session knows who has signed in: the outbox is that user's.
        queueMicrotask(() => {
          if (session.status.state !== 'signedIn' || !isWanted) return
          user = session.status.user.id
          sync.start()
        })
      },
      stop() {
        isWanted = false
        sync.stop()
      },
      reconnect: () => sync.reconnect(),
      status$: sync.status$,
    },
    deviceId: () => Promise.resolve(deviceId),
    device: { deviceName, platform: 'web', appVersion: '1.0.0' },
    onError,
  })

  sync.messages$.subscribe((message) => {
    note('message', message.type, messageText(message))
  })
  sync.unknown$.subscribe((message) => {
    note('unknown', message.type, unknownText(message))
  })
  sync.invalid$.subscribe((frame) => {
    note('invalid', frame.reason, invalidText(frame))
  })
  sync.status$.subscribe((status) => {
    note('status', statusWords(status), statusDetail(status, Date.now()) || environmentName)
  })
  createNotifications(sync).notifications$.subscribe(options.notify)
  sync.subscribe(onChange)

  const sent = createSentReports({
    send: (progress) => sync.send('UPDATE_PROGRESS', progress),
    makeName: () => `${deviceId}/roll-${crypto.randomUUID().slice(0, 4)}`,
    limit: sentLimit,
    onChange,
  })

  let said = ''
  session.status$.subscribe((status) => {
    const words = sessionWords(status)
    // The countdown of a code changes every second, and is not logged.
    if (words !== said && status.state !== 'loading') {
      said = words
      note('session', words, sessionDetail(status) || environmentName)
    }
    onChange()
  })
  session.start()

  return {
    session,
    sync,
    sent,
    dispose() {
      isWanted = false
      session.dispose()
      sync.dispose()
    },
  }
}
