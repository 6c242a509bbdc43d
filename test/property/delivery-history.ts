import { createMemoryDatabase, type Database, type MemoryDatabase } from 'statewire/storage'
import { createFakeTransport, createManualClock } from 'statewire/testing'
import { expect } from 'vitest'
import { chat } from '../delivery/harness.js'
import { createModelServer } from '../delivery/model-server.js'
import { createLife, type Hook, type Life, type Sent } from './delivery-life.js'
import {
  type Call,
  type History,
  ordinary,
  type Step,
  type StorageMode,
  type Trouble,
} from './delivery-steps.js'
import { judge } from './delivery-truth.js'

/** Lets a history happen, checks what must hold after each step and at rest; gives what was seen. */
export async function play(history: History): Promise<Record<string, number>> {
  const { isKept, maxMessages, maxBytes, window } = history
  const clock = createManualClock()
  let latencyMs = 0
  const network = createFakeTransport({ clock, protocol: chat, latencyMs: () => latencyMs })
  const server = createModelServer(network)
  const { peer } = network
  let place = createMemoryDatabase()
  const sent = new Map<string, Sent>()
  // Taken back by a client that had not accepted them.
  const takenBack = new Set<string>()
  const handedPlain = new Set<string>()
  const hooks: Hook[] = []
  const accusations: string[] = []
  const witnessed: Record<string, number> = { histories: 1, steps: history.steps.length }
  const storage = createStorage()
  let database = place
  let backup: { readonly database: MemoryDatabase; readonly order: number } | undefined
  let key = 'one'
  let ids = 0
  let texts = 0
  let isBusy = false
  let lives = 0
  // The one that the client asked for last.
  let keyInUse = key
  let life = live()

  server.behaviour.refuse = (text) => {
    if (text.includes('poison')) return { code: 'poison', retry: false }
    return isBusy ? { code: 'busy', retry: true } : undefined
  }

  function witness(name: string, count = 1): void {
    witnessed[name] = (witnessed[name] ?? 0) + count
  }

  function live(): Life {
    lives += 1
    database = place.open()
    return createLife({
      number: lives,
      world: { clock, network, server },
      isImmediate: history.isImmediate,
      limits: { maxMessages, maxBytes },
      window,
      maxBufferedBytes: history.maxBufferedBytes,
      key() {
        keyInUse = key
        return key
      },
      database: isKept ? storage.wrap(database) : undefined,
      makeId() {
        ids += 1
        return `id-${ids}`
      },
      sent,
      handedPlain,
      hooks,
      accuse: (what) => accusations.push(what),
    })
  }

  function crash(): void {
    count(life)
    database.crash()
    life.crash()
    hooks.length = 0
    life = live()
    witness('crashes')
  }

  /** Goes on from a copy of the storage that was made before. */
  function restore({ database: copy, order }: { database: MemoryDatabase; order: number }): void {
    for (const one of sent.values()) {
      if (one.order > order) one.mayBeLost = true
      else one.mayBeTwice = true
    }
    place = copy.copy()
    crash()
    witness('restored')
  }

  /** What is open while the storage fails may be sent again by a later run. */
  function noteStorage(): void {
    if (storage.mode === 'works') return
    for (const one of sent.values()) if (one.receipt.outcome === undefined) one.mayBeTwice = true
  }

  function count({ sync, seen }: Life): void {
    const { resumed, reset, duplicates, gaps, retransmitted } = sync.outbox.counts()
    const counts = { resumed, reset, duplicates, gaps, retransmitted, ...seen }
    for (const [name, times] of Object.entries(counts)) witness(name, times)
  }

  /** Messages of this run whose outcome is not known. */
  const unsettled = (): Sent[] =>
    [...sent.values()].filter(
      (one) => one.life === life.number && one.receipt.outcome === undefined,
    )

  function send(on: Life, call: Call & { readonly do: 'send' }): void {
    const { type, letter, isBig, isPoison, priority, ttlMs, abortAfterMs } = call
    for (let left = call.count; left > 0; left -= 1) {
      texts += 1
      const order = texts
      const keyThen = keyInUse
      const text = `${letter}${order}${isPoison ? ' poison' : ''}${isBig ? 'x'.repeat(300) : ''}`
      const controller = new AbortController()
      const { signal } = controller
      const receipt = on.sync.send(
        type,
        { text },
        { priority, ...(ttlMs !== undefined && { ttlMs }), signal },
      )
      // What is handed over at once left before we could know it.
      const transmittedIn = on.transmitted.get(text)
      const one: Sent = {
        text,
        order,
        life: on.number,
        key: keyThen,
        priority,
        receipt,
        expiresAt: ttlMs === undefined ? undefined : clock.epoch() + ttlMs,
        transmittedIn,
        isDurable: undefined,
        wasOnStandby: isKept && !on.sync.outbox.status.isOwner,
        // An outbox in memory has a `cid` of its own. The stored one takes its place only after a retry.
        mayBeTwice: storage.mode !== 'works' || (isKept && !on.sync.outbox.status.isDurable),
        mayBeLost: false,
        outcome: receipt.outcome,
      }
      sent.set(text, one)
      void receipt.durable.then((isDurable) => {
        if (!on.isDead) one.isDurable = isDurable
      })
      if (abortAfterMs !== undefined) clock.setTimeout(() => controller.abort(), abortAfterMs)
    }
  }

  function aim(on: Life, by: 'start' | 'connect' | 'reconnect'): void {
    on.wake(() => on.sync[by]())
  }

  function perform(on: Life, call: Call): void {
    if (on.isDead) return
    switch (call.do) {
      case 'send':
        send(on, call)
        break
      case 'abort': {
        const open = unsettled()
        open[call.which % open.length]?.receipt.abort()
        break
      }
      case 'remove': {
        const waiting = on.sync.outbox.messages()
        const one = waiting[call.which % waiting.length]
        if (one === undefined) break
        takenBack.add((one.payload as { text: string }).text)
        on.sync.outbox.remove(one.id)
        break
      }
      case 'clear':
        for (const { payload } of on.sync.outbox.messages()) {
          takenBack.add((payload as { text: string }).text)
        }
        on.sync.outbox.clear()
        break
      case 'stop':
        on.stop()
        break
      case 'disconnect':
        on.sync.disconnect()
        break
      case 'start':
      case 'connect':
      case 'reconnect':
        aim(on, call.do)
        break
      case 'key':
        key = call.key
        aim(on, call.by)
        // Other handles may send what is stored in the outbox that was left.
        for (const one of sent.values()) if (one.key !== key) one.wasOnStandby ||= isKept
        break
      default:
        call satisfies never
    }
  }

  function happen(step: Step): void {
    const newest = peer.socket
    switch (step.do) {
      case 'hook': {
        const { call } = step
        hooks.push({
          on: step.on,
          run(on) {
            witness('hooks')
            perform(on, call)
          },
        })
        break
      }
      case 'crash':
        crash()
        break
      case 'backup':
        backup = { database: place.copy(), order: texts }
        break
      case 'restore':
        if (backup !== undefined && isKept) restore(backup)
        break
      case 'storage':
        storage.turn(step.mode)
        if (step.mode !== 'works' && isKept) witness('storageFailures')
        break
      case 'advance':
        break
      case 'jump':
        clock.jump(step.ms)
        break
      case 'latency':
        latencyMs = step.ms
        break
      case 'close':
        newest?.closes(step.closeCode)
        break
      case 'drop':
        newest?.drops()
        break
      case 'silence':
        newest?.goesSilent()
        break
      case 'unread':
        newest?.stopsReading()
        break
      case 'speech':
        newest?.speaksAgain()
        break
      case 'read':
        newest?.readsAgain()
        break
      case 'attempts':
        if (step.are === 'accepted') server.accepts()
        else if (step.are === 'unreachable') peer.isUnreachable()
        else peer.staysSilent()
        break
      case 'says':
      case 'saysUnheard':
        for (let left = step.count; left > 0; left -= 1) {
          texts += 1
          server[step.do](`s${texts}`)
        }
        break
      case 'repeats':
      case 'trims':
        server[step.do](step.count)
        break
      case 'beats':
      case 'greets':
      case 'mutters':
        server[step.do]()
        break
      case 'forgetsClients':
        server.forgetsClients()
        witness('forgotten')
        break
      case 'forgets':
        server.forgets(step)
        witness('memories')
        if (step.isDropping) dropAll()
        break
      case 'drains': {
        server.drains(step.afterMs)
        clock.setTimeout(() => {
          if (newest?.isOpen === true) newest.closes(1012)
        }, step.closesInMs)
        break
      }
      case 'is':
        turn(step.what, step.on)
        break
      case 'window':
      case 'maxBytes':
        server.behaviour[step.do] = step.is
        break
      case 'mends':
        mend()
        break
      default:
        perform(life, step)
    }
  }

  function dropAll(): void {
    for (const socket of network.sockets) if (socket.isOpen) socket.drops()
  }

  function turn(what: Trouble, on: boolean): void {
    if (what === 'isBusy') isBusy = on
    else if (what !== 'ignoresPings') server.behaviour[what] = on
    else if (on) peer.ignoresPings()
    else peer.answersPings()
  }

  function mend(): void {
    for (const what of [
      'isPlain',
      'losesAcks',
      'ignoresMessages',
      'ignoresResume',
      'isBusy',
      'ignoresPings',
    ] as const) {
      turn(what, false)
    }
    Object.assign(server.behaviour, { window: 256, maxBytes: 1_000_000 })
    latencyMs = 0
    storage.turn('works')
    server.accepts()
    for (const socket of network.sockets) {
      socket.speaksAgain()
      socket.readsAgain()
    }
  }

  function check(after: unknown): void {
    const { status } = life.sync.outbox
    const wrong: string[] = [...accusations, ...server.breaches]
    const open = unsettled().filter((one) => one.key === keyInUse)
    const waiting = new Set(
      life.sync.outbox.messages().map(({ payload }) => (payload as { text: string }).text),
    )
    // The outcome of a message that is being deleted is told once that is known.
    const isDeleting = storage.mode === 'hangs'
    for (const one of open) {
      if (!waiting.has(one.text) && !isDeleting) wrong.push(`${one.text} is lost`)
    }
    if (!isKept && waiting.size !== open.length) wrong.push('a settled message waits')
    if (status.depth < waiting.size) wrong.push('depth is less than what waits')
    if (status.depth > maxMessages && lives === 1) wrong.push(`depth is ${status.depth}`)
    if (status.bytes > maxBytes && lives === 1) wrong.push(`there are ${status.bytes} bytes`)
    if (status.inFlight > window && lives === 1) wrong.push(`${status.inFlight} are on their way`)
    for (const one of sent.values()) {
      const { outcome } = one.receipt
      if (one.outcome !== undefined && outcome !== one.outcome) wrong.push(`${one.text} changed`)
      one.outcome = outcome
    }
    for (const one of open) {
      const isOver = one.expiresAt !== undefined && one.expiresAt <= clock.epoch()
      // While nobody is known to own the outbox, another handle may still send it.
      const isOurs = status.isOwner && !one.wasOnStandby && !isDeleting
      const mustBe = isOver && isOurs && one.transmittedIn === undefined
      if (mustBe) wrong.push(`${one.text} should have expired`)
    }
    const errors = life.errors.filter(({ code }) => code !== 'storage-failed')
    if (errors.length < life.errors.length && !storage.hasFailed) wrong.push('no storage failed')
    expect({ after, wrong, errors }).toEqual({ after, wrong: [], errors: [] })
  }

  async function pass(ms: number): Promise<void> {
    await clock.advanceAsync(ms)
  }

  // All being well, a message is delivered at once, and one that was missed is soon heard after all.
  async function sayAtRest(): Promise<void> {
    const attempts = network.attempts.length
    server.saysUnheard(`lost in ${texts} and told of by the next`)
    server.says(`next in ${texts}`)
    await pass(0)
    expect([...life.sync.state.lines]).toEqual(server.lines)
    server.saysUnheard(`lost in ${texts} and told of by a heartbeat`)
    server.beats()
    await pass(0)
    expect([...life.sync.state.lines]).toEqual(server.lines)
    send(life, { ...ordinary, do: 'send' })
    await pass(0)
    expect([...sent.values()].at(-1)?.receipt.outcome).toEqual({ outcome: 'delivered' })
    await pass(20_000)
    expect(network.attempts).toHaveLength(attempts)
    check('a message at rest')
  }

  for (const step of history.steps) {
    happen(step)
    noteStorage()
    await pass(step.do === 'advance' ? step.ms : 0)
    noteStorage()
    check(step)
  }

  // All is well from now on. What is connected to a server that has forgotten everybody, or said
  // that it would close, is not.
  hooks.length = 0
  mend()
  dropAll()
  await pass(0)
  const { state } = life.sync.status
  if (state === 'disconnected' || state === 'failed') life.wake(() => life.sync.start())
  // It may have to find out (40 s), wait (a second, or what a drain asked for) and connect.
  await pass(61_000)
  expect(life.sync.status.state).toBe('connected')
  life.wake(() => life.sync.start())
  for (const name of [keyInUse, 'one', 'two']) {
    key = name
    if (keyInUse !== name) life.sync.reconnect()
    for (let times = 0; times < 8; times += 1) {
      await pass(10_000)
      server.beats()
    }
    await pass(1_000)
    check('rest')
    await sayAtRest()
    const { depth, delivery } = life.sync.outbox.status
    expect({ depth, delivery }).toEqual({ depth: 0, delivery: 'live' })
    expect([...life.sync.state.lines]).toEqual(server.lines)
  }
  count(life)
  const hasStorageFailed = isKept && storage.hasFailed
  const evidence = { server, isKept, hasStorageFailed, takenBack, handedPlain, life, witness }
  expect(judge({ ...evidence, sent: [...sent.values()] })).toEqual([])

  life.stop()
  await pass(3_000)
  check('stop')
  life.sync.dispose()
  await pass(2_000)
  expect(clock.pending.count).toBe(0)
  check('dispose')
  return witnessed
}

/** A storage that can be told to fail, or to hang until it works again. */
function createStorage() {
  const hung: (() => void)[] = []
  const storage = {
    mode: 'works' as StorageMode,
    hasFailed: false,
    turn(mode: StorageMode): void {
      storage.mode = mode
      storage.hasFailed ||= mode !== 'works'
      if (mode !== 'hangs') for (const resume of hung.splice(0)) resume()
    },
    wrap(database: MemoryDatabase): Database {
      return {
        async transact(reads, change) {
          if (storage.mode === 'hangs') await new Promise<void>((resume) => hung.push(resume))
          if (storage.mode === 'rejects') throw new Error('rejected')
          return await database.transact(reads, change)
        },
        watch: (changed) => database.watch(changed),
        close: () => database.close(),
      }
    },
  }
  return storage
}
