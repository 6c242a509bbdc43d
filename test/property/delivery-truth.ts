import type { ModelServer } from '../delivery/model-server.js'
import type { Life, Sent } from './delivery-life.js'

/** What is known at rest. */
export interface Evidence {
  readonly sent: readonly Sent[]
  readonly server: ModelServer
  readonly isKept: boolean
  /** The storage failed at times: what was accepted meanwhile may overtake what is stored. */
  readonly hasStorageFailed: boolean
  /** Taken back by `remove` and `clear`, maybe in a later run. */
  readonly takenBack: ReadonlySet<string>
  /** Handed to a plain connection, which leaves it at that. */
  readonly handedPlain: ReadonlySet<string>
  /** The last client. */
  readonly life: Life
  readonly witness: (name: string, count?: number) => void
}

/** Compares what clients were told of their messages with what became of them; gives the lies. */
export function judge({ sent, server, isKept, life, witness, ...evidence }: Evidence): string[] {
  const { handedPlain, hasStorageFailed, takenBack } = evidence
  const lies: string[] = []
  const takes = new Map<string, { readonly memory: number; readonly cid: string }[]>()
  for (const { text, memory, cid } of server.taken) {
    const before = takes.get(text) ?? []
    takes.set(text, [...before, { memory, cid }])
    const isTwice = before.some((take) => take.memory === memory)
    if (isTwice && sent.find((one) => one.text === text)?.mayBeTwice !== true) {
      lies.push(`${text} is there twice`)
    }
  }
  const refused = new Set(server.refusals.filter((one) => !one.isForNow).map(({ text }) => text))
  for (const { isForNow } of server.refusals) witness(isForNow ? 'refusedForNow' : 'refused')

  for (const one of sent) {
    const { text, outcome, transmittedIn } = one
    const times = takes.get(text) ?? []
    const hasForgotten = transmittedIn !== undefined && transmittedIn < server.memory
    const isAmbiguous = times.some(({ memory, cid }) => server.ambiguous.has(`${memory} ${cid}`))
    const claim = (isTrue: boolean, what: string): void => {
      if (!isTrue) lies.push(`${text} was ${JSON.stringify(outcome)}, but ${what}`)
    }
    if (outcome === undefined) {
      if (one.life === life.number) lies.push(`${text} is open`)
      const isFound = times.length > 0 || refused.has(text) || handedPlain.has(text)
      const isWanted = one.expiresAt === undefined && !takenBack.has(text) && !text.includes('x')
      // The keys of a later run's messages may have replaced it.
      const isStored = isKept && one.isDurable === true && !one.mayBeLost
      const mustBe = isStored && isWanted && !/^[ab]/u.test(text)
      if (mustBe && !isFound) lies.push(`${text} was durable, and is lost`)
      if (mustBe) witness('survived')
      if (times.length > 1 && !hasForgotten && !one.mayBeTwice) lies.push(`${text} was sent twice`)
      continue
    }
    witness(outcome.outcome === 'notSent' ? outcome.reason : outcome.outcome)
    switch (outcome.outcome) {
      case 'delivered':
        claim(times.length > 0, 'is nowhere')
        if (outcome.possibleDuplicate === true) {
          witness('possibleDuplicate')
          claim(hasForgotten || one.mayBeTwice || hasStorageFailed, 'nothing was forgotten')
        } else {
          const isOnce = times.length === 1 || isAmbiguous || one.mayBeTwice
          claim(isOnce, `is there ${times.length} times`)
        }
        break
      case 'sent':
        claim(handedPlain.has(text), 'never left')
        break
      case 'notSent':
        claim(transmittedIn === undefined || one.mayBeTwice, 'left')
        claim(times.length === 0 || one.mayBeTwice, 'is there')
        break
      case 'refused':
        claim(times.length === 0 || hasForgotten || one.mayBeTwice, 'is there')
        claim(outcome.code !== 'poison' || refused.has(text), 'was not refused')
        break
      case 'unknown':
        claim(transmittedIn !== undefined || one.wasOnStandby || one.mayBeTwice, 'never left')
        break
      default:
        outcome satisfies never
    }
  }
  return hasStorageFailed ? lies : [...lies, ...disorder(sent, server, isKept)]
}

// Within a priority the log has the order of `send`.
function disorder(sent: readonly Sent[], server: ModelServer, isKept: boolean): string[] {
  const known = new Map(sent.map((one) => [one.text, one]))
  const last = new Map<string, Sent>()
  const wrong: string[] = []
  for (const { memory, text } of server.taken) {
    const one = known.get(text)
    if (one === undefined || one.mayBeTwice) continue
    const lane = `${memory} ${isKept ? '' : one.life} ${one.key} ${one.priority}`
    const before = last.get(lane)
    if (before !== undefined && before.order > one.order)
      wrong.push(`${before.text} before ${text}`)
    last.set(lane, one)
  }
  return wrong
}
