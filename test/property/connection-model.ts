import { expectedVerdict } from '../transport/close-code-table.js'

// What docs/spec.md says about a connection, as an agenda of what happens when. It does not use the
// library's machine: it has no statechart, no generations and no link.

/** All durations in ms; the peer's answer takes `latencyMs` one way. */
export interface ModelPolicy {
  readonly latencyMs: number
  readonly connectTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pongTimeoutMs: number
  readonly settleMs: number
  readonly lateTimerMs: number
  readonly hurryIntervalMs: number
  /** The share of `restartSpreadMs` that the test's random number gives. */
  readonly spreadMs: number
  readonly stepsMs: readonly number[]
  readonly maxAttempts: number
}

/** What the peer does with later attempts. */
export type Mood =
  | { readonly mood: 'accepts' | 'isUnreachable' | 'staysSilent' }
  | { readonly mood: 'refuses'; readonly closeCode: number }
  | { readonly mood: 'rejects'; readonly status: number; readonly retryAfterMs?: number }

type Loss =
  | { readonly why: 'closed'; readonly closeCode: number }
  | { readonly why: 'rejected'; readonly status: number; readonly retryAfterMs?: number }
  | { readonly why: 'unreachable' | 'connectTimeout' | 'pongTimeout' }

type Due =
  | { readonly what: 'retry' | 'connectTimeout' | 'settle' | 'ping' | 'pongTimeout' }
  | { readonly what: 'opened' | 'pingArrives' | 'pongArrives'; readonly socket: number }
  | { readonly what: 'ended'; readonly socket: number; readonly loss: Loss }

type Item = Due & { readonly at: number; readonly order: number }

export type ModelState =
  | 'disconnected'
  | 'connecting'
  | 'connected'
  | 'waiting'
  | 'attempting'
  | 'failed'

/**
 * A connection as the specification describes it. A test takes the same steps on the model and on the
 * real connection.
 */
export class ConnectionModel {
  readonly #policy: ModelPolicy
  #now = 0
  /** How many events were planned: it orders events of one time. */
  #order = 0
  #agenda: Item[] = []
  #isAmbiguous = false

  #state: ModelState = 'disconnected'
  #error = ''
  #attempt = 0
  /** Whether the current or next attempt was brought forward: it does not advance the ladder. */
  #isHurried = false
  #wasRefused = false
  /** How often in a row the connection was closed with this code. */
  #streak = { closeCode: 0, count: 0 }
  #hurriedAt = Number.NEGATIVE_INFINITY
  #retryAt = 0
  /** Signals cannot bring the attempt forward to before this time. */
  #notBefore = 0
  #openedAt = 0
  #isAwaitingPong = false
  #pongDueAt = 0
  #lateTimers = 0

  /** How many sockets were opened. */
  #sockets = 0
  /** The socket of the current attempt or connection; 0 if there is none. */
  #live = 0
  /** The socket that is open on the peer's side; 0 if there is none. */
  #peerHasOpen = 0
  #mood: Mood = { mood: 'accepts' }
  #answersPings = true

  readonly attempts: number[] = []
  readonly pings: number[] = []
  /** How often each thing happened, for the test's witnesses. */
  readonly seen = {
    reconnects: 0,
    hurried: 0,
    hurriedBySignal: 0,
    heldBack: 0,
    pongTimeouts: 0,
    connectTimeouts: 0,
    lateTimers: 0,
    probes: 0,
    settles: 0,
    exhausted: 0,
    refusals: 0,
    serverErrors: 0,
    spreads: 0,
    failed: 0,
    old: 0,
  }

  constructor(policy: ModelPolicy) {
    this.#policy = policy
  }

  /** Whether two events were due at one time. The specification leaves their order open. */
  isAmbiguous(): boolean {
    return this.#isAmbiguous
  }

  /** What the real connection should show. */
  view() {
    const isRetrying = this.#state === 'waiting' || this.#state === 'attempting'
    return {
      state: this.#state,
      attempt: isRetrying ? this.#attempt : undefined,
      retryAt: this.#state === 'waiting' ? this.#retryAt : undefined,
      error: this.#state === 'failed' ? this.#error : undefined,
      liveSockets: this.#live === 0 ? 0 : 1,
    }
  }

  /** How long until the next event. */
  untilNext(): number {
    return Math.min(...this.#agenda.map(({ at }) => at - this.#now))
  }

  connect(): void {
    if (this.#state === 'disconnected' || this.#state === 'failed') this.#startAfresh()
    else if (this.#state === 'waiting') this.#hurry(false)
  }

  reconnect(): void {
    if (this.#state !== 'disconnected') this.#startAfresh()
  }

  disconnect(): void {
    this.#forgetSocket()
    this.#state = 'disconnected'
  }

  signal(signal: string): void {
    if (signal === 'hidden' || signal === 'frozen') return
    if (this.#state === 'waiting' && signal !== 'offline') this.#hurry(true)
    if (this.#state === 'connected' && !this.#isAwaitingPong) {
      this.seen.probes += 1
      this.#ping()
    }
  }

  setMood(next: Mood): void {
    this.#mood = next
  }

  setAnswersPings(answers: boolean): void {
    this.#answersPings = answers
  }

  /** The peer closes the newest connection, if there is one. */
  peerCloses(closeCode: number): void {
    if (this.#peerHasOpen === 0) return
    this.#plan(
      { what: 'ended', socket: this.#peerHasOpen, loss: { why: 'closed', closeCode } },
      this.#now + this.#policy.latencyMs,
    )
    this.#peerHasOpen = 0
  }

  /** The newest connection breaks off: frames on their way are lost. */
  peerDrops(): void {
    if (this.#peerHasOpen === 0) return
    const socket = this.#peerHasOpen
    this.#agenda = this.#agenda.filter((item) => !('socket' in item && item.socket === socket))
    this.#plan(
      { what: 'ended', socket, loss: { why: 'closed', closeCode: 1006 } },
      this.#now + this.#policy.latencyMs,
    )
    this.#peerHasOpen = 0
  }

  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      const [item, next] = this.#sortDue(until)
      if (item === undefined) break
      if (next?.at === item.at && !(isOnTheWire(item) && isOnTheWire(next))) {
        this.#isAmbiguous = true
      }
      this.#now = item.at
      this.#take(item)
    }
    this.#now = until
  }

  /**
   * Nothing runs for `ms`; then every timer that became due fires once, late. No frame may be on
   * its way: whether the clock or the socket would come first is left open.
   */
  jump(ms: number): void {
    this.#now += ms
    const due = this.#sortDue(this.#now)
    for (const [index, item] of due.entries()) {
      if (due[index + 1]?.at === item.at) this.#isAmbiguous = true
      // An event that ran before may have cancelled this one.
      if (this.#agenda.includes(item)) this.#take(item)
    }
  }

  isAnythingOnTheWire(): boolean {
    return this.#agenda.some(isOnTheWire)
  }

  #plan(due: Due, at: number): void {
    this.#order += 1
    this.#agenda.push({ ...due, at, order: this.#order })
  }

  #cancel(...whats: Due['what'][]): void {
    this.#agenda = this.#agenda.filter(({ what }) => !whats.includes(what))
  }

  #forgetSocket(): void {
    this.#cancel('retry', 'connectTimeout', 'settle', 'ping', 'pongTimeout')
    this.#live = 0
    this.#isAwaitingPong = false
  }

  #startAfresh(): void {
    this.#forgetSocket()
    this.#attempt = 0
    this.#isHurried = false
    this.#wasRefused = false
    this.#streak = { closeCode: 0, count: 0 }
    this.#state = 'connecting'
    this.#makeAttempt()
  }

  #makeAttempt(): void {
    this.attempts.push(this.#now)
    this.#sockets += 1
    this.#live = this.#sockets
    this.#peerHasOpen = 0
    this.#plan({ what: 'connectTimeout' }, this.#now + this.#policy.connectTimeoutMs)
    const socket = this.#sockets
    const at = this.#now + this.#policy.latencyMs
    switch (this.#mood.mood) {
      case 'accepts':
        this.#peerHasOpen = socket
        this.#plan({ what: 'opened', socket }, at)
        break
      case 'refuses':
        this.#plan({ what: 'opened', socket }, at)
        this.#plan({ what: 'ended', socket, loss: { ...this.#mood, why: 'closed' } }, at)
        break
      case 'rejects':
        this.#plan({ what: 'ended', socket, loss: { ...this.#mood, why: 'rejected' } }, at)
        break
      case 'isUnreachable':
        this.#plan({ what: 'ended', socket, loss: { why: 'unreachable' } }, at)
        break
      default:
        break
    }
  }

  #awaitNextSlot(): void {
    this.#isAwaitingPong = false
    const slot = Math.floor((this.#now - this.#openedAt) / this.#policy.pingIntervalMs) + 1
    this.#plan({ what: 'ping' }, this.#openedAt + slot * this.#policy.pingIntervalMs)
  }

  #ping(): void {
    this.pings.push(this.#now)
    this.#cancel('ping', 'pongTimeout')
    this.#isAwaitingPong = true
    this.#pongDueAt = this.#now + this.#policy.pongTimeoutMs
    this.#plan({ what: 'pongTimeout' }, this.#pongDueAt)
    this.#plan({ what: 'pingArrives', socket: this.#live }, this.#now + this.#policy.latencyMs)
  }

  #lose(loss: Loss): void {
    this.#forgetSocket()
    if (this.#state === 'connected') this.seen.reconnects += 1
    const count =
      loss.why === 'closed' && loss.closeCode === this.#streak.closeCode ? this.#streak.count : 0
    this.#streak =
      loss.why === 'closed'
        ? { closeCode: loss.closeCode, count: count + 1 }
        : { closeCode: 0, count: 0 }

    const verdict = verdictOf(loss)
    const isOneTooMany = verdict.next === 'retry' && this.#streak.count > (verdict.inARow ?? 1e9)
    if (!this.#isHurried) this.#attempt += 1
    if (verdict.next === 'fail') this.#fail(verdict.why)
    else if (verdict.next === 'refresh' && this.#wasRefused) this.#fail('credentials-refused')
    else if (isOneTooMany) this.#fail('server-error')
    else if (this.#attempt > this.#policy.maxAttempts) this.#fail('attempts-exhausted')
    else this.#retry(verdict)
  }

  #retry(verdict: Exclude<ReturnType<typeof verdictOf>, { next: 'fail' }>): void {
    this.#isHurried = false
    if (verdict.next === 'refresh') {
      this.#wasRefused = true
      this.seen.refusals += 1
    }
    const minWaitMs = verdict.next === 'retry' ? (verdict.minWaitMs ?? 0) : 0
    const isSpread = verdict.next === 'retry' && verdict.spread === true && this.#attempt === 1
    if (isSpread) this.seen.spreads += 1
    const step = this.#policy.stepsMs[this.#attempt - 1] ?? this.#policy.stepsMs.at(-1) ?? 0
    this.#state = 'waiting'
    this.#notBefore = this.#now + minWaitMs
    this.#retryAt = this.#now + Math.max(step, minWaitMs) + (isSpread ? this.#policy.spreadMs : 0)
    this.#plan({ what: 'retry' }, this.#retryAt)
  }

  #fail(code: string): void {
    this.#state = 'failed'
    this.#error = code
    this.seen.failed += 1
    if (code === 'attempts-exhausted') this.seen.exhausted += 1
    if (code === 'server-error') this.seen.serverErrors += 1
  }

  #hurry(isSignal: boolean): void {
    const unlimited = Math.max(this.#now, this.#hurriedAt + this.#policy.hurryIntervalMs)
    const at = isSignal ? Math.max(unlimited, this.#notBefore) : unlimited
    if (at > unlimited) this.seen.heldBack += 1
    if (at > this.#now && at >= this.#retryAt) return
    this.seen[isSignal ? 'hurriedBySignal' : 'hurried'] += 1
    if (at < this.#retryAt) this.#isHurried = true
    this.#retryAt = at
    this.#cancel('retry')
    if (at > this.#now) this.#plan({ what: 'retry' }, at)
    else this.#happen({ what: 'retry' })
  }

  #happen(due: Due): void {
    if ('socket' in due && due.socket !== this.#live) this.seen.old += 1
    switch (due.what) {
      case 'retry':
        if (this.#isHurried) this.#hurriedAt = this.#now
        this.#state = 'attempting'
        this.#makeAttempt()
        break
      case 'connectTimeout':
        this.seen.connectTimeouts += 1
        this.#lose({ why: 'connectTimeout' })
        break
      case 'settle':
        this.seen.settles += 1
        this.#attempt = 0
        this.#wasRefused = false
        this.#streak = { closeCode: 0, count: 0 }
        break
      case 'ping':
        this.#ping()
        break
      case 'pongTimeout':
        if (this.#now - this.#pongDueAt > this.#policy.lateTimerMs && this.#lateTimers < 3) {
          this.seen.lateTimers += 1
          this.#lateTimers += 1
          this.#ping()
        } else {
          this.seen.pongTimeouts += 1
          this.#lose({ why: 'pongTimeout' })
        }
        break
      case 'opened':
        if (due.socket !== this.#live) break
        this.#cancel('connectTimeout')
        this.#state = 'connected'
        this.#isHurried = false
        this.#lateTimers = 0
        this.#openedAt = this.#now
        this.#plan({ what: 'settle' }, this.#now + this.#policy.settleMs)
        this.#awaitNextSlot()
        break
      case 'pingArrives':
        if (this.#answersPings && due.socket === this.#peerHasOpen) {
          this.#plan(
            { what: 'pongArrives', socket: due.socket },
            this.#now + this.#policy.latencyMs,
          )
        }
        break
      case 'pongArrives':
        if (due.socket !== this.#live || !this.#isAwaitingPong) break
        this.#lateTimers = 0
        this.#cancel('pongTimeout')
        this.#awaitNextSlot()
        break
      case 'ended':
        if (due.socket === this.#live) this.#lose(due.loss)
        break
      default:
        due satisfies never
    }
  }

  #sortDue(until: number): Item[] {
    return this.#agenda
      .filter(({ at }) => at <= until)
      .sort((left, right) => left.at - right.at || left.order - right.order)
  }

  #take(item: Item): void {
    this.#agenda = this.#agenda.filter((other) => other !== item)
    this.#happen(item)
  }
}

function isOnTheWire(due: Due): boolean {
  return 'socket' in due
}

function verdictOf(loss: Loss): ReturnType<typeof expectedVerdict> {
  if (loss.why === 'closed') return expectedVerdict(loss.closeCode)
  if (loss.why !== 'rejected') return { next: 'retry' }
  if (loss.status === 401) return { next: 'refresh' }
  if (loss.status === 403) return { next: 'fail', why: 'policy' }
  return { next: 'retry', minWaitMs: Math.min(loss.retryAfterMs ?? 0, 900_000) }
}
