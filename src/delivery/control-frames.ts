import type { output } from 'zod/v4/core'
import type { DeliveryActions, DeliveryEvent, DeliveryState } from '../machines/delivery.js'
import { type Hello, type ResetReason, type Resume, toClient } from '../schemas/control.js'
import type { MessageMeta } from '../schemas/envelope.js'
import type { Gate } from '../schemas/reader.js'
import { Cursor } from './cursor.js'
import { type FrameHandler, handler } from './frame-handler.js'
import type { Outboxes } from './outboxes.js'
import type { DeliveryParts } from './parts.js'
import { toClaim } from './store/identity.js'

// `hwm` is absent where another owner with a higher fencing token has resumed this outbox.
type ServerAnswer = Pick<output<typeof toClient.$resumed>, 'epoch' | 'hwm' | 'known' | 'refused'>

/**
 * Speaks with the server about delivery, on one connection after the other: reads its control
 * frames, answers them, and opens the channel of the outbox. The delivery machine decides when.
 */
export class ControlFrames implements DeliveryActions, Gate {
  readonly cursor: Cursor
  readonly counts = { resumed: 0, reset: 0, duplicates: 0, gaps: 0 }
  readonly #parts: DeliveryParts
  readonly #outboxes: Outboxes
  readonly #handlers: ReadonlyMap<string, FrameHandler>
  // Whether a later run continues from the cursor.
  readonly #storesCursor: boolean
  // Addresses of servers without delivery.
  readonly #plainAddresses = new Set<string>()
  #tellMachine: (event: DeliveryEvent) => void = () => undefined
  #state: DeliveryState = 'offline'

  // What was said on this connection.
  #hello: Hello | undefined
  #answer: ServerAnswer | undefined
  #resetReason: ResetReason = 'new'
  #hasSpoken = false
  // Each `$resume` is answered once, in order. The channel opens with the last answer. If messages
  // were sent after an earlier one, the last `hwm` would not count them: they would be sent twice.
  #unanswered = 0
  #hasRenewed = false
  // Since the state began. What may be missing between two of them has to be told.
  #connections = 0

  constructor(parts: DeliveryParts, outboxes: Outboxes) {
    this.#parts = parts
    this.#outboxes = outboxes
    // A state that is in memory alone is not restored by the messages after a stored cursor.
    const isStored = parts.host.protocol.coordinator?.checkpoint === undefined
    this.#storesCursor = isStored
    this.cursor = new Cursor((position) => {
      if (isStored) outboxes.current.storedCursor.move(position)
    })
    this.#handlers = new Map(Object.entries(this.#createHandlers()))
  }

  /** Where the connection stands with delivery. */
  get state(): DeliveryState {
    return this.#state
  }

  /** Tells the delivery machine what happened. */
  tell(event: DeliveryEvent): void {
    this.#tellMachine(event)
  }

  /** The state is gone: the next connection is like a first one. */
  forgetPosition(): void {
    this.cursor.forget()
    this.#connections = 0
  }

  /** Whether a message may be applied, by what stands beside its body. */
  admits(meta: MessageMeta): boolean {
    if (!this.#hasSpoken) {
      this.#hasSpoken = true
      this.tell({ type: 'server.plain' })
    }
    const sighting = this.cursor.see(meta)
    switch (sighting) {
      case 'duplicate':
        this.counts.duplicates += 1
        return false
      case 'gap':
        this.#foundGap()
        return false
      case 'early':
        return false
      case 'next':
        return true
      default:
        return sighting satisfies never
    }
  }

  /** Reads a control frame. */
  hear(type: string, body: unknown): void {
    const { host } = this.#parts
    host.noteSync()
    const handler = this.#handlers.get(type)
    const problem = handler === undefined ? 'unknown' : handler(body)
    if (problem !== undefined) {
      host.log('debug', 'delivery', 'frame.ignored', { type, detail: problem })
    }
    host.outboxChanged()
  }

  // What the machine asks for.

  listen(send: (event: DeliveryEvent) => void): void {
    this.#tellMachine = send
  }

  noteState(state: DeliveryState): void {
    if (state === this.#state) return
    this.#state = state
    // `ClientDelivery` tells of `offline` itself, once the next outbox is in use.
    if (state !== 'offline') this.#parts.host.outboxChanged()
  }

  beginConnection(): void {
    this.#hello = undefined
    this.#answer = undefined
    this.#hasSpoken = false
    this.#unanswered = 0
    this.#hasRenewed = false
    this.#connections += 1
  }

  endConnection(): void {
    this.cursor.hold()
    this.#outboxes.current.transmission.close()
  }

  resume(): void {
    const outbox = this.#outboxes.current
    // `outbox.opened` follows.
    if (!outbox.storedCursor.isOpened) return
    if (this.#storesCursor) this.cursor.restore(outbox.storedCursor.position)
    const { position } = this.cursor
    const { identity } = outbox
    this.#unanswered += 1
    this.#send('$resume', {
      ...(position !== undefined && { epoch: position.epoch, seq: position.seq }),
      ...(identity !== undefined && toClaim(identity)),
    } satisfies Resume)
  }

  openChannel(): void {
    const { host, options } = this.#parts
    const hello = this.#hello
    const answer = this.#answer
    const outbox = this.#outboxes.current
    if (hello === undefined || answer === undefined || outbox.identity === undefined) return
    const { hwm } = answer
    // Another copy of the outbox uses its `cid`, or the storage has lost numbers that were given.
    if (hwm === undefined || (answer.known === true && hwm > outbox.transmission.highest)) {
      this.#renew()
      return
    }
    outbox.store?.noteAnswered()
    this.#outboxes.openChannel({
      kind: 'acknowledged',
      maxBytes: Math.min(hello.maxBytes, host.maxBufferedBytes),
      window: Math.max(1, Math.min(hello.window, options.window)),
      epoch: answer.epoch,
      hwm,
      isKnown: answer.known === true,
      refused: answer.refused ?? [],
    })
  }

  // Once on a connection: a server that does not take a new one takes none.
  #renew(): void {
    if (this.#hasRenewed) return
    this.#hasRenewed = true
    this.#parts.host.log('warn', 'delivery', 'outbox.renewed')
    void this.#outboxes.current.renew()
  }

  openPlainChannel(): void {
    if (this.#connections > 1) this.#parts.host.resync('plain')
    this.#outboxes.openChannel({ kind: 'plain', maxBytes: this.#parts.host.maxBufferedBytes })
  }

  pauseChannel(): void {
    this.#outboxes.pauseChannel()
  }

  watchTransmission(): void {
    this.#outboxes.current.transmission.inFlight.watch()
  }

  oldestSentAt(): number | undefined {
    return this.#outboxes.current.transmission.inFlight.oldestSentAt
  }

  isKnownPlain(): boolean {
    return this.#plainAddresses.has(this.#address)
  }

  notePlain(isPlain: boolean): void {
    if (isPlain) this.#plainAddresses.add(this.#address)
    else this.#plainAddresses.delete(this.#address)
  }

  abandonConnection(): void {
    const { host, options } = this.#parts
    const { answerTimeoutMs: afterMs } = options
    const message = `The server did not answer within ${afterMs} ms.`
    host.link().abandon({ code: 'answer-timeout', afterMs, message })
  }

  get #address(): string {
    return this.#parts.host.link().address() ?? ''
  }

  #createHandlers(): Record<keyof typeof toClient, FrameHandler> {
    const { host } = this.#parts
    const { cursor } = this
    const outboxes = this.#outboxes
    return {
      $hello: handler(toClient.$hello, (body) => {
        this.#hello = body
        this.tell({ type: 'server.greeted' })
      }),
      $resumed: handler(toClient.$resumed, (body) => {
        this.counts.resumed += 1
        this.#answer = body
        cursor.follow()
        host.tellRoster('roster.begun')
        this.#countAnswer()
      }),
      $reset: handler(toClient.$reset, (body) => {
        this.counts.reset += 1
        this.#answer = body
        this.#resetReason = body.why
        cursor.hold()
      }),
      $snapshot: handler(toClient.$snapshot, (body) => this.#applySnapshot(body)),
      $roster: () => {
        host.tellRoster('roster.complete')
        return undefined
      },
      $ack: handler(toClient.$ack, ({ cid, n }) => {
        if (cid === outboxes.current.identity?.cid) outboxes.current.transmission.acknowledge(n)
      }),
      $nack: handler(toClient.$nack, ({ cid, n, code, retry }) => {
        const { identity, transmission } = outboxes.current
        if (cid !== identity?.cid) return
        if (retry) transmission.refuseForNow(n)
        else transmission.refuse(n, code)
      }),
      $ping: handler(toClient.$ping, ({ epoch, head }) => {
        this.#send('$pong', undefined)
        if (cursor.isBehind({ epoch, seq: head })) this.#foundGap()
      }),
      $drain: handler(toClient.$drain, ({ afterMs }) => {
        host.link().returnAfter(afterMs)
        this.tell({ type: 'server.draining' })
      }),
    }
  }

  #applySnapshot({ epoch, seq, state }: output<typeof toClient.$snapshot>): void {
    const { host } = this.#parts
    const { cursor } = this
    cursor.set({ epoch, seq })
    const { position } = cursor
    host.flush()
    // A handler that ran in `flush` may have stopped the client.
    if (cursor.position !== position) return
    // A server whose protocol has no checkpoint sends no state: the client's stays.
    if (state === undefined) host.log('info', 'delivery', 'state.kept')
    else host.restore(state)
    if (this.#resetReason !== 'new') host.resync(this.#resetReason)
    host.tellRoster('roster.begun')
    this.#countAnswer()
  }

  #countAnswer(): void {
    this.#unanswered -= 1
    if (this.#unanswered === 0) this.tell({ type: 'server.answered' })
  }

  #foundGap(): void {
    this.counts.gaps += 1
    this.cursor.hold()
    this.tell({ type: 'gap.found' })
  }

  #send(type: string, payload: unknown): void {
    const encoded = this.#parts.encoder.encode({ type, payload })
    if (encoded.ok) this.#parts.host.link().send(encoded.frame)
  }
}
