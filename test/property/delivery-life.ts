import {
  type Clock,
  immediateBatches,
  type Receipt,
  type SendOutcome,
  type Transport,
} from 'statewire'
import type { Database } from 'statewire/storage'
import { chat, createBench, type World } from '../delivery/harness.js'

/** A message that a client was given, and what was seen of it. */
export interface Sent {
  readonly text: string
  /** When it was sent, among the others. */
  readonly order: number
  readonly life: number
  readonly key: string
  readonly priority: number
  readonly receipt: Receipt
  /** In milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  /** How much the server had forgotten when it was first transmitted; undefined before. */
  transmittedIn: number | undefined
  isDurable: boolean | undefined
  /** It waited while its client did not own the outbox: the owner may have sent it. */
  wasOnStandby: boolean
  /** It was open while the storage failed, or is in a backup that was restored: a later run may send it again. */
  mayBeTwice: boolean
  /** It was sent after a backup that was restored. */
  mayBeLost: boolean
  /** The first outcome that was seen. */
  outcome: SendOutcome | undefined
}

/** What a client does by itself while it emits something: once, at the next emission. */
export interface Hook {
  readonly on: Emission
  readonly run: (life: Life) => void
}

/** What a client emits. */
export type Emission = 'status' | 'state' | 'said' | 'outbox'

/** What is said of a client that is to be made. */
export interface LifeOptions {
  readonly number: number
  readonly world: World
  readonly isImmediate: boolean
  readonly limits: { readonly maxMessages: number; readonly maxBytes: number }
  readonly window: number
  readonly maxBufferedBytes: number
  readonly key: () => string
  readonly database: Database | undefined
  readonly makeId: () => string
  /** Every message, by its text. */
  readonly sent: ReadonlyMap<string, Sent>
  /** The texts of messages that were handed to a plain connection. */
  readonly handedPlain: Set<string>
  /** Hooks that wait for their emission. */
  readonly hooks: Hook[]
  /** Says what is wrong. */
  readonly accuse: (what: string) => void
}

/** One client from its making to its crash, watched. */
export type Life = ReturnType<typeof createLife>

/** Makes a client whose every emission and frame is checked. */
export function createLife(options: LifeOptions) {
  const { accuse, hooks, sent, world } = options
  const { server } = world
  const clock = createMortalClock(world.clock)
  const attempts = new Set<number>()
  const transmitted = new Map<string, number>()
  const seen = { plain: 0, emissions: 0 }
  let isDead = false
  let isSilent = false
  let isEmitting = false
  let stops = 0
  let wakes = 0
  let hooksRun = 0
  // Where the published state stood at last.
  let stood: Stood = { epoch: 0, seq: 0 }
  const heardTo = new Map<string, number>()

  function watchFrame(frame: unknown, attempt: number): void {
    const opened = chat.envelope.toServer.open(frame)
    if (opened.kind === 'batch') {
      for (const part of opened.frames) watchFrame(part, attempt)
    } else if (opened.kind === 'message') {
      const payload = opened.body as Payload | undefined
      if (opened.type === '$resume') watchClaim(payload)
      else watchMessage(payload, opened.meta.n, attempt)
    }
  }

  function watchMessage(payload: Payload | undefined, n: number | undefined, attempt: number) {
    if (payload?.text === undefined) return
    if (n === undefined) {
      seen.plain += 1
      options.handedPlain.add(payload.text)
    }
    const memory = server.memoryOf(attempt)
    if (!transmitted.has(payload.text)) transmitted.set(payload.text, memory)
    const message = sent.get(payload.text)
    if (message === undefined) return
    message.transmittedIn ??= memory
    const outcome = message.receipt.outcome ?? message.outcome
    const isOver = message.life === options.number || outcome?.outcome === 'notSent'
    if (outcome !== undefined && isOver && !message.mayBeTwice) {
      accuse(`${message.text} was sent after it was ${outcome.outcome}`)
    }
  }

  // What a client says about where it stands is where its state stands.
  function watchClaim({ epoch, seq = 0 }: Payload = {}): void {
    const { state } = bench.sync
    if (epoch === undefined) {
      if (state.lines.size > 0) accuse('no place was claimed, with a state')
      return
    }
    const claim = { epoch: numberOf(epoch), seq }
    const isHere = placesOf(state).some((place) => place.epoch === epoch && place.seq === seq)
    if (isHere || isEmitting) return
    if (options.isImmediate) accuse(`${epoch}/${seq} was claimed with another state`)
    const stopsBefore = stops
    // What is folded by now is published by the end of the microtask, and more may be.
    queueMicrotask(() => {
      if (isDead || stops !== stopsBefore) return
      if (isBefore(stood, claim)) accuse(`${epoch}/${seq} was claimed, and not published`)
    })
  }

  function placesOf(state: State): readonly Place[] {
    const text = JSON.stringify([...state.lines])
    const places = server.states.get(text)
    if (places === undefined) accuse(`there never was a state ${text}`)
    return places ?? []
  }

  function watchState(state: State): void {
    const places = placesOf(state)
    if (state.lines.size === 0) return
    const next = places
      .map(({ epoch, seq }) => ({ epoch: numberOf(epoch), seq }))
      .find((at) => !isBefore(at, stood))
    if (next === undefined) accuse(`the state went back, to ${JSON.stringify(places)}`)
    else stood = next
  }

  function emits(kind: Emission): void {
    if (isDead) return
    seen.emissions += 1
    if (isSilent && kind !== 'outbox') accuse(`${kind} was emitted after stop`)
    const at = hooks.findIndex(({ on }) => on === kind)
    const hook = hooks[at]
    if (hook === undefined || isEmitting) return
    hooks.splice(at, 1)
    isEmitting = true
    hooksRun += 1
    hook.run(life)
    isEmitting = false
  }

  const transport: Transport = {
    connect(request, handlers) {
      const attempt = world.network.attempts.length + 1
      attempts.add(attempt)
      const socket = world.network.connect(request, {
        opened: () => isDead || handlers.opened(),
        received: (frame) => isDead || handlers.received(frame),
        closed: (failure) => isDead || handlers.closed(failure),
      })
      return {
        get bufferedAmount() {
          return socket.bufferedAmount
        },
        send(frame) {
          if (isDead || !socket.send(frame)) return false
          watchFrame(JSON.parse(String(frame)), attempt)
          return true
        },
        close: (code, reason) => isDead || socket.close(code, reason),
        terminate: () => isDead || socket.terminate(),
      }
    },
  }

  const { database } = options
  const bench = createBench({
    world,
    delivery: {
      ...options.limits,
      window: options.window,
      key: options.key,
      makeId: options.makeId,
      ...(database !== undefined && { database }),
    },
    client: {
      clock,
      transport,
      maxBufferedBytes: options.maxBufferedBytes,
      ...(options.isImmediate && { batches: immediateBatches }),
    },
  })
  const { sync } = bench

  const life = {
    number: options.number,
    sync,
    seen,
    /** The texts of all messages that left it, with what the server had forgotten by then. */
    transmitted,
    errors: bench.errors,
    get isDead() {
      return isDead
    },
    /** Runs a call that starts the client, after which it may emit again. */
    wake(call: () => void): void {
      isSilent = false
      wakes += 1
      call()
    },
    stop(): void {
      stops += 1
      const [wakesBefore, hooksBefore] = [wakes, hooksRun]
      const waiting = sync.outbox.messages()
      sync.stop()
      // A handler may have started it again.
      if (isEmitting || wakes !== wakesBefore) return
      if (sync.status.state !== 'disconnected') accuse(`${sync.status.state} after stop`)
      if (sync.state.lines.size > 0) accuse('stop left state')
      const isLess = sync.outbox.messages().length < waiting.length
      if (isLess && hooksRun === hooksBefore) accuse('stop dropped messages')
      isSilent = true
    },
    /** As a kill -9: nothing of it runs any more, and its connections break off. */
    crash(): void {
      isDead = true
      clock.stop()
      for (const socket of world.network.sockets) {
        if (attempts.has(socket.attempt) && socket.isOpen) socket.drops()
      }
    },
  }

  sync.status$.subscribe(() => emits('status'))
  sync.state$.subscribe((state) => {
    if (!isDead) watchState(state)
    emits('state')
  })
  sync.outbox$.subscribe(() => emits('outbox'))
  sync.on('SAID', ({ meta }) => {
    const { epoch = '', seq = 0 } = meta
    if (seq <= (heardTo.get(epoch) ?? 0)) accuse(`${epoch}/${seq} was heard again`)
    heardTo.set(epoch, seq)
    emits('said')
  })
  return life
}

function numberOf(epoch: string): number {
  return Number(epoch.replace('epoch-', ''))
}

function isBefore(left: Stood, right: Stood): boolean {
  return left.epoch < right.epoch || (left.epoch === right.epoch && left.seq < right.seq)
}

interface Stood {
  readonly epoch: number
  readonly seq: number
}

interface Payload {
  readonly text?: string
  readonly epoch?: string
  readonly seq?: number
}

interface Place {
  readonly epoch: string
  readonly seq: number
}

interface State {
  readonly lines: Iterable<readonly [string, string]> & { readonly size: number }
}

// Timers of a process that was killed do not fire.
function createMortalClock(clock: Clock) {
  const timers = new Set<unknown>()
  let isStopped = false
  return {
    now: () => clock.now(),
    epoch: () => clock.epoch(),
    setTimeout(callback: () => void, ms: number): unknown {
      if (isStopped) return undefined
      const timer = clock.setTimeout(() => {
        timers.delete(timer)
        callback()
      }, ms)
      timers.add(timer)
      return timer
    },
    clearTimeout(timer: unknown): void {
      timers.delete(timer)
      clock.clearTimeout(timer)
    },
    stop(): void {
      isStopped = true
      for (const timer of timers) clock.clearTimeout(timer)
    },
  }
}
