import type { Clock } from '../base/clock.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { ReadMessage } from '../schemas/reader.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import { encodeMessage, fanOut } from './broadcast.js'
import type { AnyIncomingMessage } from './client.js'
import type { Admit } from './delivery/admission.js'
import type { Verdict } from './delivery/client-outbox.js'
import type { Delivery } from './delivery/server-delivery.js'
import type { UnnumberedMessage } from './delivery/logged-message.js'
import type { Member, Members } from './members.js'
import type { SyncServerOptions } from './options.js'
import type { Reporting } from './reporting.js'

/** What a server does about what its clients say. Nothing here throws. */
export interface Conversation<R extends MessageSchemas> {
  message(member: Member<R>, message: ReadMessage): void
  /** A message that can never be taken. */
  refused(member: Member<R>, meta: MessageMeta, code: string): void
  /** A frame about delivery. */
  control(member: Member<R>, type: string, payload: unknown): 'taken' | 'unknown' | 'invalid'
  pinged(member: Member<R>): void
}

/** What {@link createConversation} needs. */
export interface ConversationOptions<R extends MessageSchemas, S extends MessageSchemas>
  extends Pick<SyncServerOptions<R, S>, 'protocol' | 'on' | 'onMessage'> {
  readonly clock: Clock
  readonly members: Members<R>
  readonly runUserCode: Reporting['runUserCode']
  readonly delivery: Delivery | undefined
  readonly admit: Admit
  /** Whether anything is still listened to. */
  readonly isOpen: () => boolean
}

/** Makes the {@link Conversation} of a server. */
export function createConversation<R extends MessageSchemas, S extends MessageSchemas>(
  options: ConversationOptions<R, S>,
): Conversation<R> {
  const { admit, clock, delivery, members, onMessage, protocol, runUserCode } = options
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

  function describe({ client }: Member<R>, { type, data }: ReadMessage, id?: string) {
    return { client, type, payload: data, ...(id !== undefined && { id }) }
  }

  function handle(member: Member<R>, read: ReadMessage, id?: string): void {
    const handler = handlers.get(read.type)
    if (handler === undefined && onMessage === undefined) return
    const message = describe(member, read, id)
    if (handler !== undefined) runUserCode(`on.${read.type}`, () => handler(message))
    runUserCode('onMessage', () => onMessage?.(message as AnyIncomingMessage<R, S>))
  }

  function handlePlain(member: Member<R>, message: ReadMessage): void {
    const { type, data } = message
    const as = relays.get(type)
    const { userId, deviceId } = member.client
    const afterwards = () => handle(member, message)
    if (delivery === undefined) {
      // What a schema lets through need not be JSON once more.
      if (as !== undefined) runUserCode(`relay of ${type}`, () => relay(as, member, data))
      afterwards()
    } else if (as === undefined) {
      delivery.afterwards(userId, afterwards)
    } else {
      let isPublished = false as boolean
      runUserCode(`relay of ${type}`, () => {
        delivery.publish({ userId, messages: [{ type: as, data }], deviceId, afterwards })
        isPublished = true
      })
      if (!isPublished) afterwards()
    }
  }

  function judge(member: Member<R>, message: ReadMessage, id: string): Judge {
    return (decided) => {
      let relayed: UnnumberedMessage | undefined
      const as = relays.get(message.type)
      if (as !== undefined && delivery !== undefined) {
        let isWritten = false as boolean
        runUserCode(`relay of ${message.type}`, () => {
          const relaying = { type: as, data: message.data }
          relayed = delivery.write(relaying, member.client.deviceId, id)
          isWritten = true
        })
        if (!isWritten) {
          decided({ kind: 'refuse', code: 'failed', retry: false })
          return
        }
      }
      admit(describe(member, message, id), (admission) => {
        if (admission !== 'admitted') decided({ kind: 'refuse', ...admission })
        else {
          decided({
            kind: 'take',
            relayed,
            written() {
              if (relayed !== undefined) delivery?.sendToPlain(member.client.userId, relayed)
            },
            taken: () => handle(member, message, id),
          })
        }
      })
    }
  }

  return {
    message(member, message) {
      if (!options.isOpen()) return
      const { cid, n } = message.meta
      if (member.subscriber === undefined || cid === undefined || n === undefined) {
        handlePlain(member, message)
      } else {
        member.subscriber.receive(cid, { n, judge: judge(member, message, `${cid}/${n}`) })
      }
    },
    refused({ subscriber }, { cid, n }, code) {
      if (!options.isOpen() || cid === undefined || n === undefined) return
      subscriber?.receive(cid, {
        n,
        judge: (decided) => decided({ kind: 'refuse', code, retry: false }),
      })
    },
    control({ subscriber }, type, payload) {
      if (subscriber === undefined) return 'unknown'
      // Who asks while we close is answered by the next server.
      if (!options.isOpen()) return 'taken'
      return subscriber.control(type, payload) ? 'taken' : 'invalid'
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

type Judge = (decided: (verdict: Verdict) => void) => void
