import { SyncError } from '../base/errors.js'
import type { BodyOf, MessageSchemas, TypeOf } from '../schemas/schema.js'
import type { AttemptActions, ConnectionActions, FakeSocket } from './fake-actions.js'
import type { ReceivedMessage } from './fake-wire.js'

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
 * The far end, scripted in prose.
 *
 * What it does with attempts (`accepts`, `refuses`, …) holds for those to come. What it does with
 * a connection (`sends`, `drops`, …) happens on the newest one that is open. What it does about
 * pings and closing holds for both.
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
  /** Does something of your own with the attempts to come, for example by their URL. */
  plays(script: AttemptScript<R>): void
  /** Says what happens to one attempt, counted from 1, whatever holds for the others. */
  onAttempt(attempt: number): AttemptActions<R> & Pick<FakePeer<R, S>, 'plays'>
  /** The same for the first attempt not yet made or scripted; called twice, it scripts the next two. */
  onNextAttempt(): AttemptActions<R> & Pick<FakePeer<R, S>, 'plays'>
  /** Replies to a type of message from now on; called again, it replaces the reply. */
  answers<K extends TypeOf<S>>(type: K, reply: Reply<R, BodyOf<S[K]>>): void
  /** Replies to every message that has no reply of its own, unreadable frames included. */
  answersAnything(reply: Reply<R, unknown>): void
  /** What the client sent over all connections, one entry a message, pings included. */
  readonly received: readonly ReceivedMessage[]
  /** The same without pings and pongs. */
  readonly messages: readonly ReceivedMessage[]
  /** The newest connection that is open on the peer's side. */
  readonly socket: FakeSocket<R> | undefined
}

/** A fake peer with what the fake transport needs of it. @internal */
export interface FakePeerControl {
  readonly peer: FakePeer
  readonly answersPings: boolean
  readonly closesCleanly: boolean
  /** Does what the script says about a new attempt. */
  readonly meet: (socket: FakeSocket) => void
  /** Takes note of a message, and replies. */
  readonly hear: (message: ReceivedMessage, socket: FakeSocket) => void
}

/** Makes the peer of a fake network; `sockets` are all its attempts so far. @internal */
export function createFakePeer(
  sockets: readonly FakeSocket[],
  isControl: (type: string | undefined) => boolean,
): FakePeerControl {
  const scripts = new Map<number, AttemptScript>()
  const replies = new Map<string, Reply<MessageSchemas, unknown>>()
  const received: ReceivedMessage[] = []
  let anyReply: Reply<MessageSchemas, unknown> | undefined
  let usual: AttemptScript = (socket) => socket.accepts()
  let answersPings = true
  let closesCleanly = true

  function findNewest(): FakeSocket | undefined {
    for (let at = sockets.length - 1; at >= 0; at -= 1) {
      if (sockets[at]?.isOpen === true) return sockets[at]
    }
    return undefined
  }

  function newest(): FakeSocket {
    const socket = findNewest()
    if (socket !== undefined) return socket
    throw new SyncError('testing-misuse', 'the fake peer has no open connection')
  }

  function scripting(script: (script: AttemptScript) => void): AttemptActions & Plays {
    return {
      accepts: (then) => script((socket) => socket.accepts(then)),
      refuses: (code, reason) => script((socket) => socket.refuses(code, reason)),
      rejects: (answer) => script((socket) => socket.rejects(answer)),
      isUnreachable: (systemCode) => script((socket) => socket.isUnreachable(systemCode)),
      staysSilent: () => script((socket) => socket.staysSilent()),
      plays: script,
    }
  }

  function onAttempt(attempt: number): AttemptActions & Plays {
    if (!Number.isInteger(attempt) || attempt <= sockets.length) {
      throw new SyncError('testing-misuse', `attempt ${attempt} is not to come`)
    }
    return scripting((script) => void scripts.set(attempt, script))
  }

  const peer: FakePeer = {
    ...scripting((script) => {
      usual = script
    }),
    onAttempt,
    onNextAttempt() {
      let attempt = sockets.length + 1
      while (scripts.has(attempt)) attempt += 1
      return onAttempt(attempt)
    },
    answers(type, reply) {
      replies.set(type, reply)
    },
    answersAnything(reply) {
      anyReply = reply
    },
    received,
    get messages() {
      return received.filter(({ type }) => !isControl(type))
    },
    get socket() {
      return findNewest()
    },

    sends: (type, ...body) => newest().sends(type, ...body),
    sendsRaw: (frame) => newest().sendsRaw(frame),
    sendsBatch: (messages) => newest().sendsBatch(messages),
    closes: (closeCode, reason) => newest().closes(closeCode, reason),
    drops: () => newest().drops(),
    goesSilent: () => newest().goesSilent(),
    speaksAgain: () => newest().speaksAgain(),
    stopsReading: () => newest().stopsReading(),
    readsAgain: () => newest().readsAgain(),
    ignoresPings() {
      answersPings = false
      for (const socket of sockets) socket.ignoresPings()
    },
    answersPings() {
      answersPings = true
      for (const socket of sockets) socket.answersPings()
    },
    neverCloses() {
      closesCleanly = false
      for (const socket of sockets) socket.neverCloses()
    },
    closesCleanly() {
      closesCleanly = true
      for (const socket of sockets) socket.closesCleanly()
    },
  }

  return {
    peer,
    get answersPings() {
      return answersPings
    },
    get closesCleanly() {
      return closesCleanly
    },
    meet(socket) {
      const script = scripts.get(socket.attempt) ?? usual
      scripts.delete(socket.attempt)
      script(socket)
    },
    hear(message, socket) {
      received.push(message)
      const reply = (message.type === undefined ? undefined : replies.get(message.type)) ?? anyReply
      reply?.(message, socket)
    },
  }
}

type Plays = Pick<FakePeer, 'plays'>
