import type { Clock } from '../clock.js'
import type { ReadMessage } from '../schemas/reader.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import { encodeMessage, fanOut } from './broadcast.js'
import type { AnyIncomingMessage } from './client.js'
import type { Member, Members } from './members.js'
import type { SyncServerOptions } from './options.js'
import type { Reporting } from './reporting.js'

/** What a server does about what its clients say. Nothing here throws. */
export interface Conversation<R extends MessageSchemas> {
  message(member: Member<R>, message: ReadMessage): void
  pinged(member: Member<R>): void
}

/** What {@link createConversation} needs. */
export interface ConversationOptions<R extends MessageSchemas, S extends MessageSchemas>
  extends Pick<SyncServerOptions<R, S>, 'protocol' | 'on' | 'onMessage'> {
  readonly clock: Clock
  readonly members: Members<R>
  readonly runUserCode: Reporting['runUserCode']
}

/** Makes the {@link Conversation} of a server. */
export function createConversation<R extends MessageSchemas, S extends MessageSchemas>(
  options: ConversationOptions<R, S>,
): Conversation<R> {
  const { clock, members, onMessage, protocol, runUserCode } = options
  const { heartbeat } = protocol
  const envelope = protocol.envelope.toClient
  const relays = new Map<string, TypeOf<R> | undefined>(
    Object.entries(protocol.server?.relay ?? {}),
  )
  // `on` ties each type to its handler; the reader has tied each type to its schema.
  const handlers = new Map(
    Object.entries(options.on ?? {}) as [string, (message: unknown) => unknown][],
  )

  function relay(as: TypeOf<R>, { client }: Member<R>, data: unknown): void {
    const { deviceId, userId } = client
    const meta = { timestamp: clock.epoch(), deviceId, userId }
    fanOut(members.presence.ofUser(userId), encodeMessage(envelope, { type: as, data }, meta))
  }

  return {
    message(member, { type, data }) {
      const as = relays.get(type)
      // What a schema lets through need not be JSON once more.
      if (as !== undefined) runUserCode(`relay of ${type}`, () => relay(as, member, data))
      const handler = handlers.get(type)
      if (handler === undefined && onMessage === undefined) return
      const message = { client: member.client, type, payload: data }
      if (handler !== undefined) runUserCode(`on.${type}`, () => handler(message))
      runUserCode('onMessage', () => onMessage?.(message as AnyIncomingMessage<R, S>))
    },
    pinged({ connection }) {
      if (heartbeat === false) return
      runUserCode('heartbeat.body', () => {
        const timestamp = clock.epoch()
        const hasBody = (protocol.receive[heartbeat.pong] ?? null) !== null
        const body = heartbeat.body ?? ((epochMs: number) => ({ timestamp: epochMs }))
        const data = hasBody ? body(timestamp) : undefined
        connection.send(encodeMessage(envelope, { type: heartbeat.pong, data }, { timestamp }))
      })
    },
  }
}
