import type {
  AttachedDelivery,
  Delivery,
  DeliveryActor,
  DeliveryContext,
  OutboxState,
} from './port.js'
import { nameThrown } from '../base/deadline.js'
import { SyncError } from '../base/errors.js'
import { createChannel } from './channel.js'
import { createCursor } from './cursor.js'
import { createDeliveryMachine, type DeliveryState } from '../machines/delivery/machine.js'
import { createOutboxMachine } from '../machines/outbox/machine.js'
import { createSettledReceipt } from './receipt.js'
import { CAPABILITIES } from '../schemas/control.js'
import { assertOutboxRule, type OutboxRule } from '../schemas/outbox-rule.js'
import type { ConnectRequest } from '../schemas/protocol.js'
import { createGuardedOutboxStore } from './store/outbox-guard.js'
import type { GuardedOutboxStore } from './store/outbox-guarded.js'
import { type Encoded, encodeCheckedJson, encodeJson } from '../transport/json-codec.js'
import { type DeliveryOptions, type ResolvedDelivery, resolveDelivery } from './options.js'
import { createOutboxes } from './outboxes.js'

/**
 * Makes the delivery of a client: messages wait while there is no connection, a server that has
 * delivery too acknowledges them, and what it sent while we were away comes after all. With any
 * other server messages wait, and are then sent as without it. docs/delivery.md says what is
 * promised.
 *
 * @throws SyncError `option-invalid`, naming the option.
 *
 * @example
 * const sync = createSyncClient(chat, { url, delivery: createDelivery({ maxMessages: 100 }) })
 * const receipt = sync.send('SAY', { text: 'hello' }) // in any state
 * await receipt.settled // { outcome: 'delivered' }
 */
export function createDelivery(options: DeliveryOptions = {}): Delivery {
  const resolved = resolveDelivery(options)
  return { attach: (context) => attach(resolved, context) }
}

const OUTBOX = 'outbox'
const DELIVERY = 'delivery'

function attach(options: ResolvedDelivery, context: DeliveryContext): AttachedDelivery {
  const { clock, link, log, protocol, report } = context
  const rules = readRules(protocol.outbox)
  const plainAddresses = new Set<string>()
  const cursor = createCursor()
  let actors: ReadonlyMap<string, DeliveryActor> = new Map()
  let isOnline = false
  // How often the key has changed, by the time of the newest attempt and now.
  let aims = { ofAttempt: 0, all: 0 }
  let key = currentKey('default')

  function tell(actor: string, event: { readonly type: string }): void {
    actors.get(actor)?.send(event)
  }

  // An envelope may be the user's own.
  function encodeSealed(encode: typeof encodeJson, makeFrame: () => unknown): Encoded {
    try {
      return encode(makeFrame())
    } catch (error) {
      return { ok: false, detail: `the envelope threw: ${nameThrown(error)}` }
    }
  }

  const { toServer } = protocol.envelope

  const outboxes = createOutboxes(
    {
      limits: options.limits,
      clock,
      makeId: options.makeId,
      whenFull: (type) => rules.get(type)?.whenFull ?? 'refuse',
      // Accepted without a number, and sent with one.
      encode: ({ type, payload }, number) =>
        encodeSealed(number === undefined ? encodeJson : encodeCheckedJson, () =>
          toServer.seal(type, payload, number),
        ),
      encodeBatch: (messages) =>
        toServer.batch &&
        encodeSealed(encodeCheckedJson, () =>
          toServer.batch?.(
            messages.map(({ message, number }) =>
              toServer.seal(message.type, message.payload, number),
            ),
          ),
        ),
      hand: (frame) => link().send(frame),
      maxFrameBytes: context.maxBufferedBytes,
      changed: context.outboxChanged,
      tell(fact) {
        if (fact.type !== 'outbox.transmitted') tell(OUTBOX, fact)
        tell(DELIVERY, fact)
      },
      openKeeper,
    },
    key,
  )

  const channel = createChannel({
    cursor,
    outbox: () => outboxes.current,
    window: options.window,
    send(type, payload) {
      const encoded = encodeSealed(encodeJson, () => toServer.seal(type, payload))
      if (encoded.ok) link().send(encoded.frame)
    },
    tell: (fact) => tell(DELIVERY, fact),
    flush: context.flush,
    restore(state) {
      if (state === undefined) log('info', 'delivery', 'state.kept')
      else context.restore(state)
    },
    listing: context.listing,
    listed: context.listed,
    returnAfter: (ms) => link().returnAfter(ms),
    lineOpened: () => tell(OUTBOX, { type: 'line.opened' }),
    lineClosed: () => tell(OUTBOX, { type: 'line.closed' }),
    ignored: (type, detail) => log('debug', 'delivery', 'frame.ignored', { type, detail }),
  })

  function openKeeper(key: string): GuardedOutboxStore | undefined {
    if (options.openStore === undefined) return undefined
    try {
      return createGuardedOutboxStore(options.openStore(key), { clock, onError: report })
    } catch (cause) {
      report(new SyncError('storage-failed', 'delivery.store threw.', { cause }))
      return undefined
    }
  }

  function currentKey(fallback: string): string {
    try {
      return options.key()
    } catch (cause) {
      report(new SyncError('handler-threw', 'delivery.key threw.', { cause }))
      return fallback
    }
  }

  function use(next: string): void {
    key = next
    outboxes.use(next)
  }

  function goOffline(): void {
    isOnline = false
    tell(DELIVERY, { type: 'connection.dropped' })
  }

  function keyOf({ keepLatestBy }: OutboxRule<never>, payload: unknown): string | undefined {
    try {
      // The rule's type and the payload's belong to the same message type.
      return keepLatestBy === undefined ? undefined : keepLatestBy(payload as never)
    } catch (cause) {
      report(new SyncError('handler-threw', 'keepLatestBy threw.', { cause }))
      return undefined
    }
  }

  function status(): OutboxState {
    const snapshot = actors.get(DELIVERY)?.getSnapshot()
    return {
      ...outboxes.current.status(),
      isDurable: outboxes.isDurable,
      delivery: stateOf(snapshot),
    }
  }

  return {
    gate: {
      admits: (meta) => channel.admits(meta),
      hear(type, body) {
        context.noteSync()
        channel.hear(type, body)
        context.outboxChanged()
      },
    },
    children: () => [
      {
        id: OUTBOX,
        logic: createOutboxMachine(),
        input: { outbox: () => outboxes.current, clock },
      },
      {
        id: DELIVERY,
        logic: createDeliveryMachine(),
        input: {
          channel,
          clock,
          policy: options.policy,
          isKnownPlain: () => plainAddresses.has(link().address() ?? ''),
          notePlain(isPlain: boolean) {
            const address = link().address() ?? ''
            if (isPlain) plainAddresses.add(address)
            else plainAddresses.delete(address)
          },
          giveUp() {
            const { answerTimeoutMs: afterMs } = options.policy
            const message = `The server owed an answer for ${afterMs} ms.`
            link().abandon({ code: 'answer-timeout', afterMs, message })
          },
          oldestSentAt: () => outboxes.current.transmission.oldestSentAt,
        },
      },
    ],
    started(made) {
      actors = made
    },
    prepare(request) {
      aims = { ...aims, ofAttempt: aims.all }
      // With the URL and the credentials: it goes with them.
      use(currentKey(key))
      sayCapable(request)
    },
    send(type, payload, given = {}) {
      if (given.signal?.aborted === true) {
        const detail = 'Its signal was aborted before.'
        return createSettledReceipt(type, { outcome: 'notSent', reason: 'aborted', detail })
      }
      const rule = rules.get(type) ?? {}
      const receipt = outboxes.current.accept({
        type,
        payload,
        key: keyOf(rule, payload),
        ttlMs: given.ttlMs ?? rule.ttlMs,
        priority: given.priority ?? rule.priority ?? 0,
        whenFull: rule.whenFull ?? 'refuse',
      })
      abortWith(receipt, given.signal)
      return receipt
    },
    aim(isLeaving) {
      if (isOnline && !isLeaving) return false
      const next = currentKey(key)
      if (next === key) return false
      aims = { ...aims, all: aims.all + 1 }
      // Before the outbox changes: what waits in the other is not for this server.
      goOffline()
      use(next)
      return true
    },
    connectionOpened() {
      // A handler has aimed elsewhere since: this connection is about to be left.
      if (aims.ofAttempt !== aims.all) return
      isOnline = true
      tell(DELIVERY, { type: 'connection.opened' })
    },
    connectionDropped(failure) {
      // The server read of a message only that it is too large: it would be so each time.
      if (failure?.code === 'closed' && failure.closeCode === 1009) {
        outboxes.current.transmission.refuseLargest()
      }
      goOffline()
    },
    forgetState: () => cursor.forget(),
    outbox: {
      get status() {
        return status()
      },
      messages: () => outboxes.current.messages(),
      remove: (id) => outboxes.current.remove(id),
      clear() {
        outboxes.current.clear()
      },
      counts: () => ({ ...outboxes.current.counts(), ...channel.counts }),
    },
    dispose: () => outboxes.dispose(),
  }
}

// The query is kept letter by letter: what protocols write into it may matter to servers.
function sayCapable({ url }: ConnectRequest): void {
  const { parameter, value } = CAPABILITIES
  if (url.searchParams.has(parameter)) return
  url.search = `${url.search === '' ? '?' : `${url.search}&`}${parameter}=${value}`
}

// Where it was written, the compiler tied each rule to its type.
function readRules(rules: unknown): ReadonlyMap<string, OutboxRule<never>> {
  const entries = Object.entries((rules ?? {}) as Record<string, OutboxRule<never>>)
  for (const [type, rule] of entries) assertOutboxRule('protocol-invalid', `outbox.${type}`, rule)
  return new Map(entries)
}

function abortWith(
  receipt: { readonly settled: Promise<unknown>; abort(): void },
  signal: AbortSignal | undefined,
): void {
  if (signal === undefined) return
  const abort = (): void => receipt.abort()
  signal.addEventListener('abort', abort, { once: true })
  void receipt.settled.then(() => {
    signal.removeEventListener('abort', abort)
  })
}

// The machine's states, without what is inside them.
function stateOf(snapshot: unknown): DeliveryState {
  const { value } = (snapshot ?? {}) as { readonly value?: unknown }
  if (typeof value !== 'object' || value === null) return 'offline'
  const { online } = value as { readonly online?: unknown }
  if (online === 'plain' || online === 'resuming' || online === 'draining') return online
  if (online === 'greeting' || online === 'deciding') return 'greeting'
  return online === undefined ? 'offline' : 'live'
}
