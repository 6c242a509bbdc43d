import { createSyncClient, type SyncClient } from 'statewire'
import { type KullState, kull, loadCredits } from 'statewire/kull'
import type { DemoEnvironment } from '../server/controls.js'
import type { PageQuery } from './address.js'
import { invalidText, messageText, unknownText } from './log-text.js'
import { createMessageLog, type LogLine, type MessageLog } from './message-log.js'
import { statusDetail, statusWords } from './text.js'

/** The client of this page, and the log of what it hears. */
export type Session = {
  readonly sync: SyncClient<typeof kull.receive, typeof kull.send, KullState>
  readonly log: MessageLog
  readonly environment: DemoEnvironment
  /** Moves to another environment: connects to it at once, unless disconnected. */
  moveTo(environment: DemoEnvironment): void
}

const logLimit = 100

/** Makes the client of a device. It connects when it is started. */
export function createSession(options: {
  userId: string
  deviceId: string
  environment: DemoEnvironment
  timing: PageQuery['timing']
  /** Called after every change there is to see. */
  onChange: () => void
}): Session {
  const { userId, deviceId, timing, onChange } = options
  let { environment } = options
  const log = createMessageLog(logLimit)

  const sync = createSyncClient(kull, {
    url: () => environment.webSocketUrl,
    credentials: { userId, deviceId },
    loadSnapshot: loadCredits({
      baseUrl: () => environment.httpUrl,
      headers: { authorization: `Bearer ${userId}:${deviceId}` },
    }),
    onError: ({ code, message }) => {
      note('error', code, message)
    },
    ...timing,
  })

  function note(kind: LogLine['kind'], title: string, text: string): void {
    log.add({ at: Date.now(), kind, title, text })
    onChange()
  }

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
    note('status', statusWords(status), statusDetail(status, Date.now()) || environment.name)
  })
  sync.subscribe(onChange)

  return {
    sync,
    log,
    get environment() {
      return environment
    },
    moveTo(next) {
      if (next === environment) return
      environment = next
      const isWanted = sync.status.state !== 'disconnected'
      // And not `reconnect`, which keeps the state: these are other shoots and another account.
      sync.stop()
      if (isWanted) sync.start()
    },
  }
}
