import { type Hello, type RefusedNumber, type Resume, toClient } from '../schemas/control.js'
import { type BodyOf, createValidate, type MessageSchemas } from '../schemas/schema.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { Outbox } from './outbox.js'
import type { Cursor } from './cursor.js'

/** What a server said, as far as it decides about the connection. */
export type ChannelFact =
  | { readonly type: 'server.greeted' }
  /** It spoke without a greeting: it has no delivery. */
  | { readonly type: 'server.plain' }
  /** It has said where we stand. */
  | { readonly type: 'server.stands' }
  | { readonly type: 'server.draining' }
  /** A message is missing. */
  | { readonly type: 'gap.found' }

/** What was counted of delivery. */
export interface ChannelCounts {
  /** Times that a server went on where we were. */
  resumed: number
  /** Times that it could not. */
  reset: number
  /** Numbered messages that came again and were dropped. */
  duplicates: number
  /** Numbered messages that were dropped since one before them was missing. */
  gaps: number
}

/** What a {@link Channel} needs. None of the functions throws. */
export interface ChannelOptions {
  readonly cursor: Cursor
  /** The outbox that is used now. */
  readonly outbox: () => Outbox
  /** Most messages that we have on their way, unacknowledged; the server may set less. */
  readonly window: number
  /** Sends a control frame on the live connection. */
  readonly send: (type: string, payload: unknown) => void
  readonly tell: (fact: ChannelFact) => void
  /** Publishes what was taken in so far. */
  readonly flush: () => void
  /** Puts the server's state in place of ours; `undefined`: it has none to give. */
  readonly restore: (state: unknown) => void
  /** From now on the peers that are there are announced. */
  readonly listing: () => void
  /** Those were all. */
  readonly listed: () => void
  /** The connection will be closed; the next one is not to come sooner than this after it. */
  readonly returnAfter: (ms: number) => void
  /** Messages may be sent from now on, or not any more. */
  readonly lineOpened: () => void
  readonly lineClosed: () => void
  /** Tells somebody who looks for the reason why a control frame was left alone. */
  readonly ignored: (type: string, detail: string) => void
}

/** The conversation about delivery on one connection after the other. */
export interface Channel {
  readonly counts: Readonly<ChannelCounts>
  /** A connection is there; nothing was said on it. */
  open(): void
  close(): void
  /** Hears of a message before it is taken in; gives whether it may be. */
  admits(meta: MessageMeta): boolean
  /** Hears a control frame. */
  hear(type: string, body: unknown): void
  /** Tells the server where we stand. */
  resume(): void
  /** Opens the way out, as the server described itself and where we stand. */
  openLine(): void
  /** Opens the way out to a server without delivery. */
  openPlainLine(): void
  /** No answer is waited for: to be told when there is one to wait for. */
  rest(): void
  /** Sends nothing more for now; answers to what was sent are still heard. */
  hold(): void
}

type Heard = {
  readonly [Type in keyof typeof toClient]: (body: BodyOf<(typeof toClient)[Type]>) => void
}

/** Where a server stands with our outbox; its parts are absent where it does not say. */
interface Answer {
  readonly epoch: string
  readonly hwm?: number | undefined
  readonly known?: boolean | undefined
  readonly refused?: readonly RefusedNumber[] | undefined
}

/** Makes the conversation about delivery. */
export function createChannel(options: ChannelOptions): Channel {
  const { cursor, outbox, send, tell } = options
  const counts: ChannelCounts = { resumed: 0, reset: 0, duplicates: 0, gaps: 0 }
  const validators = createValidators(toClient)
  let hello: Hello | undefined
  let answer: Answer | undefined
  let hasSpoken = false
  // Each `$resume` is answered once, in order. What is numbered after an answer that another one
  // follows would be taken for unsent by that one.
  let unanswered = 0

  function stands(): void {
    unanswered -= 1
    if (unanswered === 0) tell({ type: 'server.stands' })
  }

  function foundGap(): void {
    counts.gaps += 1
    cursor.hold()
    tell({ type: 'gap.found' })
  }

  const heard: Heard = {
    $hello(body) {
      hello = body
      tell({ type: 'server.greeted' })
    },
    $resumed(body) {
      counts.resumed += 1
      answer = body
      cursor.follow()
      options.listing()
      stands()
    },
    $reset(body) {
      counts.reset += 1
      answer = body
      cursor.hold()
    },
    $snapshot({ epoch, seq, state }) {
      cursor.set({ epoch, seq })
      const { position } = cursor
      options.flush()
      // A handler may have stopped the client.
      if (cursor.position !== position) return
      options.restore(state)
      options.listing()
      stands()
    },
    $roster() {
      options.listed()
    },
    $ack({ cid, n }) {
      if (cid === outbox().owner?.cid) outbox().transmission.acknowledge(n)
    },
    $nack({ cid, n, code, retry }) {
      if (cid === outbox().owner?.cid) outbox().transmission.refuse(n, code, retry)
    },
    $ping({ epoch, head }) {
      send('$pong', undefined)
      if (cursor.isBehind({ epoch, seq: head })) foundGap()
    },
    $drain({ afterMs }) {
      options.returnAfter(afterMs)
      tell({ type: 'server.draining' })
    },
  }

  function whereWeStand(): Resume {
    const { position } = cursor
    const { owner } = outbox()
    return {
      ...(position !== undefined && { epoch: position.epoch, seq: position.seq }),
      ...(owner !== undefined && { cid: owner.cid, fence: owner.fence }),
    }
  }

  return {
    counts,
    open() {
      hello = undefined
      answer = undefined
      hasSpoken = false
      unanswered = 0
    },
    close() {
      cursor.hold()
      options.lineClosed()
      outbox().transmission.close()
    },
    admits(meta) {
      if (!hasSpoken) {
        hasSpoken = true
        tell({ type: 'server.plain' })
      }
      const sighting = cursor.see(meta)
      switch (sighting) {
        case 'next':
          return true
        case 'duplicate':
          counts.duplicates += 1
          return false
        case 'gap':
          foundGap()
          return false
        case 'early':
          return false
        default:
          return sighting satisfies never
      }
    },
    hear(type, body) {
      hasSpoken = true
      const validate = validators.get(type)
      if (validate === undefined) {
        options.ignored(type, 'unknown')
        return
      }
      const validated = validate(body)
      if (!validated.ok) {
        options.ignored(type, validated.detail)
        return
      }
      // The validator of a type has tied its body to it.
      heard[type as keyof Heard](validated.value as never)
    },
    resume() {
      unanswered += 1
      send('$resume', whereWeStand())
    },
    openLine() {
      // Without a mark the server does not take our numbers: another owner is ahead of us.
      if (hello === undefined || answer?.hwm === undefined) return
      outbox().transmission.open({
        kind: 'acknowledged',
        epoch: answer.epoch,
        hwm: answer.hwm,
        isKnown: answer.known === true,
        refused: answer.refused ?? [],
        maxBytes: hello.maxBytes,
        window: Math.max(1, Math.min(options.window, hello.window)),
      })
      options.lineOpened()
    },
    openPlainLine() {
      outbox().transmission.open({ kind: 'plain' })
      options.lineOpened()
    },
    rest() {
      outbox().transmission.rest()
    },
    hold() {
      options.lineClosed()
    },
  }
}

function createValidators(schemas: MessageSchemas) {
  return new Map(
    Object.entries(schemas).map(([type, schema]) => [
      type,
      schema === null ? () => ({ ok: true as const, value: undefined }) : createValidate(schema),
    ]),
  )
}
