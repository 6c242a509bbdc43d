import { expectedVerdict } from '../transport/close-code-table.js'

// What docs/spec.md says of a connection, as one agenda of what is to happen when. It knows nothing
// of the machine: no state charts, no generations, no link.

/** Milliseconds, all; a peer's answer takes `latencyMs` one way. */
export interface ModelPolicy {
  readonly latencyMs: number
  readonly connectTimeoutMs: number
  readonly pingIntervalMs: number
  readonly pongTimeoutMs: number
  readonly settleMs: number
  readonly lateTimerMs: number
  readonly hurryIntervalMs: number
  /** What the draw makes of `restartSpreadMs`. */
  readonly spreadMs: number
  readonly stepsMs: readonly number[]
  readonly maxAttempts: number
}

/** What the peer does with attempts to come. */
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

export function createModel(policy: ModelPolicy) {
  let now = 0
  let order = 0
  let agenda: Item[] = []
  let isAmbiguous = false

  let state: ModelState = 'disconnected'
  let error = ''
  let attempt = 0
  let isHurried = false
  let wasRefused = false
  let streak = { closeCode: 0, count: 0 }
  let hurriedAt = Number.NEGATIVE_INFINITY
  let retryAt = 0
  let notBefore = 0
  let openedAt = 0
  let isAwaitingPong = false
  let pongDueAt = 0
  let lateTimers = 0

  let sockets = 0
  let live = 0
  let peerHasOpen = 0
  let mood: Mood = { mood: 'accepts' }
  let answersPings = true

  const attempts: number[] = []
  const pings: number[] = []
  const seen = {
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

  function plan(due: Due, at: number): void {
    order += 1
    agenda.push({ ...due, at, order })
  }
  function cancel(...whats: Due['what'][]): void {
    agenda = agenda.filter(({ what }) => !whats.includes(what))
  }
  function letGo(): void {
    cancel('retry', 'connectTimeout', 'settle', 'ping', 'pongTimeout')
    live = 0
    isAwaitingPong = false
  }

  function startAfresh(): void {
    letGo()
    attempt = 0
    isHurried = false
    wasRefused = false
    streak = { closeCode: 0, count: 0 }
    state = 'connecting'
    makeAttempt()
  }

  function makeAttempt(): void {
    attempts.push(now)
    sockets += 1
    live = sockets
    peerHasOpen = 0
    plan({ what: 'connectTimeout' }, now + policy.connectTimeoutMs)
    const socket = sockets
    const at = now + policy.latencyMs
    switch (mood.mood) {
      case 'accepts':
        peerHasOpen = socket
        plan({ what: 'opened', socket }, at)
        break
      case 'refuses':
        plan({ what: 'opened', socket }, at)
        plan({ what: 'ended', socket, loss: { ...mood, why: 'closed' } }, at)
        break
      case 'rejects':
        plan({ what: 'ended', socket, loss: { ...mood, why: 'rejected' } }, at)
        break
      case 'isUnreachable':
        plan({ what: 'ended', socket, loss: { why: 'unreachable' } }, at)
        break
      default:
        break
    }
  }

  function awaitNextSlot(): void {
    isAwaitingPong = false
    const slot = Math.floor((now - openedAt) / policy.pingIntervalMs) + 1
    plan({ what: 'ping' }, openedAt + slot * policy.pingIntervalMs)
  }

  function ping(): void {
    pings.push(now)
    cancel('ping', 'pongTimeout')
    isAwaitingPong = true
    pongDueAt = now + policy.pongTimeoutMs
    plan({ what: 'pongTimeout' }, pongDueAt)
    plan({ what: 'pingArrives', socket: live }, now + policy.latencyMs)
  }

  function lose(loss: Loss): void {
    letGo()
    if (state === 'connected') seen.reconnects += 1
    const count = loss.why === 'closed' && loss.closeCode === streak.closeCode ? streak.count : 0
    streak =
      loss.why === 'closed'
        ? { closeCode: loss.closeCode, count: count + 1 }
        : { closeCode: 0, count: 0 }

    const verdict = verdictOf(loss)
    const isOneTooMany = verdict.next === 'retry' && streak.count > (verdict.inARow ?? 1e9)
    if (!isHurried) attempt += 1
    if (verdict.next === 'fail') fail(verdict.why)
    else if (verdict.next === 'refresh' && wasRefused) fail('credentials-refused')
    else if (isOneTooMany) fail('server-error')
    else if (attempt > policy.maxAttempts) fail('attempts-exhausted')
    else retry(verdict)
  }

  function retry(verdict: Exclude<ReturnType<typeof verdictOf>, { next: 'fail' }>): void {
    isHurried = false
    if (verdict.next === 'refresh') {
      wasRefused = true
      seen.refusals += 1
    }
    const minWaitMs = verdict.next === 'retry' ? (verdict.minWaitMs ?? 0) : 0
    const isSpread = verdict.next === 'retry' && verdict.spread === true && attempt === 1
    if (isSpread) seen.spreads += 1
    const step = policy.stepsMs[attempt - 1] ?? policy.stepsMs.at(-1) ?? 0
    state = 'waiting'
    notBefore = now + minWaitMs
    retryAt = now + Math.max(step, minWaitMs) + (isSpread ? policy.spreadMs : 0)
    plan({ what: 'retry' }, retryAt)
  }

  function fail(code: string): void {
    state = 'failed'
    error = code
    seen.failed += 1
    if (code === 'attempts-exhausted') seen.exhausted += 1
    if (code === 'server-error') seen.serverErrors += 1
  }

  function hurry(isSignal: boolean): void {
    const unlimited = Math.max(now, hurriedAt + policy.hurryIntervalMs)
    const at = isSignal ? Math.max(unlimited, notBefore) : unlimited
    if (at > unlimited) seen.heldBack += 1
    if (at > now && at >= retryAt) return
    seen[isSignal ? 'hurriedBySignal' : 'hurried'] += 1
    if (at < retryAt) isHurried = true
    retryAt = at
    cancel('retry')
    if (at > now) plan({ what: 'retry' }, at)
    else happen({ what: 'retry' })
  }

  function happen(due: Due): void {
    if ('socket' in due && due.socket !== live) seen.old += 1
    switch (due.what) {
      case 'retry':
        if (isHurried) hurriedAt = now
        state = 'attempting'
        makeAttempt()
        break
      case 'connectTimeout':
        seen.connectTimeouts += 1
        lose({ why: 'connectTimeout' })
        break
      case 'settle':
        seen.settles += 1
        attempt = 0
        wasRefused = false
        streak = { closeCode: 0, count: 0 }
        break
      case 'ping':
        ping()
        break
      case 'pongTimeout':
        if (now - pongDueAt > policy.lateTimerMs && lateTimers < 3) {
          seen.lateTimers += 1
          lateTimers += 1
          ping()
        } else {
          seen.pongTimeouts += 1
          lose({ why: 'pongTimeout' })
        }
        break
      case 'opened':
        if (due.socket !== live) break
        cancel('connectTimeout')
        state = 'connected'
        isHurried = false
        lateTimers = 0
        openedAt = now
        plan({ what: 'settle' }, now + policy.settleMs)
        awaitNextSlot()
        break
      case 'pingArrives':
        if (answersPings && due.socket === peerHasOpen) {
          plan({ what: 'pongArrives', socket: due.socket }, now + policy.latencyMs)
        }
        break
      case 'pongArrives':
        if (due.socket !== live || !isAwaitingPong) break
        lateTimers = 0
        cancel('pongTimeout')
        awaitNextSlot()
        break
      case 'ended':
        if (due.socket === live) lose(due.loss)
        break
      default:
        due satisfies never
    }
  }

  function isOnTheWire(due: Due): boolean {
    return 'socket' in due
  }
  function sortDue(until: number): Item[] {
    return agenda
      .filter(({ at }) => at <= until)
      .sort((left, right) => left.at - right.at || left.order - right.order)
  }
  function take(item: Item): void {
    agenda = agenda.filter((other) => other !== item)
    happen(item)
  }

  return {
    seen,
    attempts,
    pings,
    /** Two things were due at one instant, whose order the specification leaves open. */
    isAmbiguous: () => isAmbiguous,
    view: () => ({
      state,
      attempt: state === 'waiting' || state === 'attempting' ? attempt : undefined,
      retryAt: state === 'waiting' ? retryAt : undefined,
      error: state === 'failed' ? error : undefined,
      liveSockets: live === 0 ? 0 : 1,
    }),
    /** How long until something happens. */
    untilNext: () => Math.min(...agenda.map(({ at }) => at - now)),

    connect(): void {
      if (state === 'disconnected' || state === 'failed') startAfresh()
      else if (state === 'waiting') hurry(false)
    },
    reconnect(): void {
      if (state !== 'disconnected') startAfresh()
    },
    disconnect(): void {
      letGo()
      state = 'disconnected'
    },
    signal(signal: string): void {
      if (signal === 'hidden' || signal === 'frozen') return
      if (state === 'waiting' && signal !== 'offline') hurry(true)
      if (state === 'connected' && !isAwaitingPong) {
        seen.probes += 1
        ping()
      }
    },
    setMood(next: Mood): void {
      mood = next
    },
    setAnswersPings(answers: boolean): void {
      answersPings = answers
    },
    /** The peer ends the newest connection, if it has one. */
    peerCloses(closeCode: number): void {
      if (peerHasOpen === 0) return
      plan(
        { what: 'ended', socket: peerHasOpen, loss: { why: 'closed', closeCode } },
        now + policy.latencyMs,
      )
      peerHasOpen = 0
    },
    /** It breaks off: what is on the wire is lost. */
    peerDrops(): void {
      if (peerHasOpen === 0) return
      const socket = peerHasOpen
      agenda = agenda.filter((item) => !('socket' in item && item.socket === socket))
      plan(
        { what: 'ended', socket, loss: { why: 'closed', closeCode: 1006 } },
        now + policy.latencyMs,
      )
      peerHasOpen = 0
    },

    advance(ms: number): void {
      const until = now + ms
      for (let [item, next] = sortDue(until); item !== undefined; [item, next] = sortDue(until)) {
        if (next?.at === item.at && !(isOnTheWire(item) && isOnTheWire(next))) isAmbiguous = true
        now = item.at
        take(item)
      }
      now = until
    },
    /**
     * Nothing runs for a while; then what fell due does, once, late. Nothing may be on the wire:
     * which is read first then, a clock or a socket, is left open.
     */
    jump(ms: number): void {
      now += ms
      const due = sortDue(now)
      for (const [index, item] of due.entries()) {
        if (due[index + 1]?.at === item.at) isAmbiguous = true
        // Something before it may have cancelled it.
        if (agenda.includes(item)) take(item)
      }
    },
    isAnythingOnTheWire: () => agenda.some(isOnTheWire),
  }
}

function verdictOf(loss: Loss): ReturnType<typeof expectedVerdict> {
  if (loss.why === 'closed') return expectedVerdict(loss.closeCode)
  if (loss.why !== 'rejected') return { next: 'retry' }
  if (loss.status === 401) return { next: 'refresh' }
  if (loss.status === 403) return { next: 'fail', why: 'policy' }
  return { next: 'retry', minWaitMs: Math.min(loss.retryAfterMs ?? 0, 900_000) }
}
