import { createSyncClient, type SyncClient } from 'statewire'
import {
  createNotifications,
  type Disposer,
  type KullEnvironment,
  type KullNotification,
  type KullState,
  type kull,
} from 'statewire/kull'
import { createApi, createSession, type Session } from 'statewire/session'
import type { KeyValueStore } from 'statewire/storage'
import { signedInKull } from '../access-proof.js'
import type { PageQuery } from './address.js'
import { invalidText, messageText, unknownText } from './log-text.js'
import type { LogLine } from './message-log.js'
import { createTellingApi } from './telling-api.js'
import { sessionDetail, sessionWords, statusDetail, statusWords } from './text.js'

/** What the page has of one environment: who is signed in there, and the sync that this starts. */
export type EnvironmentSession = Disposer & {
  readonly session: Session
  readonly sync: SyncClient<typeof kull.receive, typeof kull.send, KullState>
}

/** Writes a line of the log. */
export type Note = (kind: LogLine['kind'], title: string, text: string) => void

/** Makes the session and the client of an environment. Signed in before, it connects by itself. */
export function createEnvironmentSession(options: {
  environment: KullEnvironment
  /** For people. */
  environmentName: string
  /** The environment's own: its tokens go to no other. */
  store: KeyValueStore
  deviceId: string
  deviceName: string
  timing: PageQuery['timing']
  note: Note
  /** Called with what there is to tell the user. */
  notify: (notification: KullNotification) => void
  /** Called after every change there is to see. */
  onChange: () => void
}): EnvironmentSession {
  const { environment, environmentName, store, deviceId, deviceName, note, onChange } = options
  const api = createApi({ baseUrl: environment.httpUrl })
  const onError = ({ code, message }: { code: string; message: string }) => {
    note('error', code, message)
  }

  const sync = createSyncClient(signedInKull, {
    url: environment.webSocketUrl,
    credentials: (attempt): ReturnType<Session['credentials']> => session.credentials(attempt),
    async loadSnapshot({ signal }) {
      const summary = await session.authorized((token) => api.creditSummary(token, { signal }))
      if (!summary.ok) throw new Error(summary.failure.message)
      return summary.value
    },
    onError,
    ...options.timing,
  })
  const session = createSession({
    api: createTellingApi(api, (title, text) => {
      note('session', title, text)
    }),
    store,
    sync,
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

  let said = ''
  session.status$.subscribe((status) => {
    const words = sessionWords(status)
    // A countdown is no news.
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
    dispose() {
      session.dispose()
      sync.dispose()
    },
  }
}
