import type { RawFrame } from '../schemas/message.js'
import type { BodyOf, MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { AttemptActions, ConnectionActions, FakeSocket } from './fake-socket.js'
import type { ReceivedMessage } from './fake-wire.js'
import { testingMisuse } from './misuse.js'

/** What the peer does with an attempt. */
export type AttemptScript<R extends MessageSchemas = MessageSchemas> = (
  socket: FakeSocket<R>,
) => void

/** What the peer does with a message of one type. */
export type Reply<R extends MessageSchemas, Body> = (
  message: ReceivedMessage & { readonly data: Body },
  socket: FakeSocket<R>,
) => void

/**
 * The server of a fake network. A test scripts it with methods that read like prose.
 *
 * - Methods about attempts (`accepts`, `refuses`, …) hold for all later attempts.
 * - Methods about a connection (`sends`, `drops`, …) act on the newest open connection.
 * - Methods about pings and about closing hold for open and for later connections.
 *
 * @example
 * network.peer.onNextAttempt().rejects({ status: 503, retryAfterMs: 5_000 })
 * network.peer.accepts((socket) => socket.sends('WELCOME', { version: 2 }))
 */
export interface FakePeer<
  R extends MessageSchemas = MessageSchemas,
  S extends MessageSchemas = MessageSchemas,
> extends AttemptActions<R>,
    ConnectionActions<R> {
  /** Handles later attempts with a function of your own, for example by their URL. */
  plays(script: AttemptScript<R>): void
  /** Scripts one attempt, counted from 1. It overrides what holds for all attempts. */
  onAttempt(attempt: number): AttemptActions<R> & Pick<FakePeer<R, S>, 'plays'>
  /** Scripts the first attempt that was neither made nor scripted. A second call scripts the next one. */
  onNextAttempt(): AttemptActions<R> & Pick<FakePeer<R, S>, 'plays'>
  /** Replies to messages of a type from now on. A second call replaces the reply. */
  answers<K extends TypeOf<S>>(type: K, reply: Reply<R, BodyOf<S[K]>>): void
  /** Replies to every message that has no reply of its own, and to frames that cannot be decoded. */
  answersAnything(reply: Reply<R, unknown>): void
  /** What the client sent on all connections, one entry per message, with pings and pongs. */
  readonly received: readonly ReceivedMessage[]
  /** The same without pings and pongs. */
  readonly messages: readonly ReceivedMessage[]
  /** The newest connection that is open on the peer's side. */
  readonly socket: FakeSocket<R> | undefined
}

type AttemptActionsAndPlays = AttemptActions & Pick<FakePeer, 'plays'>

/** Scripts attempts that are still to come: each action becomes their script. */
class AttemptScripting implements AttemptActionsAndPlays {
  script: AttemptScript | undefined

  readonly plays = (script: AttemptScript): void => void (this.script = script)
  readonly accepts: AttemptActions['accepts'] = (then) => this.plays((to) => to.accepts(then))
  readonly refuses: AttemptActions['refuses'] = (...args) => this.plays((to) => to.refuses(...args))
  readonly rejects: AttemptActions['rejects'] = (answer) => this.plays((to) => to.rejects(answer))
  readonly isUnreachable = (code?: string): void => this.plays((to) => to.isUnreachable(code))
  readonly staysSilent = (): void => this.plays((to) => to.staysSilent())
}

/** The peer of a fake transport. */
export class ScriptedPeer extends AttemptScripting implements FakePeer {
  readonly received: ReceivedMessage[] = []
  readonly #sockets: readonly FakeSocket[]
  readonly #isControl: (type: string | undefined) => boolean
  /** Scripts of single attempts, by their number. They override the peer's own. */
  readonly #attempts = new Map<number, AttemptScripting>()
  readonly #replies = new Map<string | undefined, Reply<MessageSchemas, unknown>>()
  #usualReply: Reply<MessageSchemas, unknown> | undefined
  /** How connections treat pings and closing handshakes, where a test said so. */
  readonly #habits = new Map<'pings' | 'closing', (socket: FakeSocket) => void>()

  /** `sockets` are those of all attempts so far; the list grows. */
  constructor(sockets: readonly FakeSocket[], isControl: (type: string | undefined) => boolean) {
    super()
    this.#sockets = sockets
    this.#isControl = isControl
  }

  onAttempt(attempt: number): AttemptActionsAndPlays {
    if (!Number.isInteger(attempt) || attempt <= this.#sockets.length) {
      throw testingMisuse(`attempt ${attempt} is not to come`)
    }
    const scripting = this.#attempts.get(attempt) ?? new AttemptScripting()
    this.#attempts.set(attempt, scripting)
    return scripting
  }

  onNextAttempt(): AttemptActionsAndPlays {
    let attempt = this.#sockets.length + 1
    while (this.#attempts.get(attempt)?.script !== undefined) attempt += 1
    return this.onAttempt(attempt)
  }

  answers(type: string, reply: Reply<MessageSchemas, unknown>): void {
    this.#replies.set(type, reply)
  }

  answersAnything(reply: Reply<MessageSchemas, unknown>): void {
    this.#usualReply = reply
  }

  get messages(): readonly ReceivedMessage[] {
    return this.received.filter(({ type }) => !this.#isControl(type))
  }

  get socket(): FakeSocket | undefined {
    for (let at = this.#sockets.length - 1; at >= 0; at -= 1) {
      if (this.#sockets[at]?.isOpen === true) return this.#sockets[at]
    }
    return undefined
  }

  readonly sends: FakePeer['sends'] = (type, ...body) => this.#openSocket().sends(type, ...body)
  readonly sendsRaw = (frame: RawFrame): void => this.#openSocket().sendsRaw(frame)
  readonly sendsBatch: FakePeer['sendsBatch'] = (batch) => this.#openSocket().sendsBatch(batch)
  readonly closes: FakePeer['closes'] = (...args) => this.#openSocket().closes(...args)
  readonly drops = (): void => this.#openSocket().drops()
  readonly goesSilent = (): void => this.#openSocket().goesSilent()
  readonly speaksAgain = (): void => this.#openSocket().speaksAgain()
  readonly stopsReading = (): void => this.#openSocket().stopsReading()
  readonly readsAgain = (): void => this.#openSocket().readsAgain()
  readonly ignoresPings = (): void => this.#adopt('pings', (socket) => socket.ignoresPings())
  readonly answersPings = (): void => this.#adopt('pings', (socket) => socket.answersPings())
  readonly neverCloses = (): void => this.#adopt('closing', (socket) => socket.neverCloses())
  readonly closesCleanly = (): void => this.#adopt('closing', (socket) => socket.closesCleanly())

  /** Answers a new attempt as its script says. */
  meet(socket: FakeSocket): void {
    for (const adopt of this.#habits.values()) adopt(socket)
    const script = this.#attempts.get(socket.attempt)?.script ?? this.script
    this.#attempts.delete(socket.attempt)
    if (script === undefined) socket.accepts()
    else script(socket)
  }

  /** Records a message, and replies to it. */
  hear(message: ReceivedMessage, socket: FakeSocket): void {
    this.received.push(message)
    const reply = this.#replies.get(message.type) ?? this.#usualReply
    reply?.(message, socket)
  }

  /** Applies a habit to all connections so far, and keeps it for later ones. */
  #adopt(habit: 'pings' | 'closing', adopt: (socket: FakeSocket) => void): void {
    this.#habits.set(habit, adopt)
    for (const socket of this.#sockets) adopt(socket)
  }

  #openSocket(): FakeSocket {
    const { socket } = this
    if (socket === undefined) throw testingMisuse('the fake peer has no open connection')
    return socket
  }
}
