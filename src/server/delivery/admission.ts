import type { Clock } from '../../base/clock.js'
import { type ReportError, SyncError } from '../../base/errors.js'
import { isThenable } from '../reporting.js'
import type { MessageRefusal } from './options.js'

/** What is made of a message that the user's `accept` was asked about. */
export type Admission = 'admitted' | { readonly code: string; readonly retry: boolean }

/** Asks about a message; hears the answer once, at once where it is there at once. */
export type Admit = (message: unknown, decided: (admission: Admission) => void) => void

/** What {@link createAdmit} needs. */
export interface AdmitOptions {
  readonly accept:
    | ((message: never) => MessageRefusal | undefined | PromiseLike<MessageRefusal | undefined>)
    | undefined
  readonly clock: Clock
  readonly report: ReportError
}

/** How long an answer may take, in milliseconds: what follows the message waits for it. */
const LONGEST_ACCEPT_MS = 10_000

const failed: Admission = { code: 'failed', retry: true }

/** Makes the border around the user's `accept`; without one everything is admitted. */
export function createAdmit({ accept, clock, report }: AdmitOptions): Admit {
  if (accept === undefined) return (_message, decided) => decided('admitted')

  function fail(what: string, cause?: unknown): Admission {
    report(new SyncError('handler-threw', `delivery.accept ${what}.`, { cause }))
    return failed
  }

  function read(answer: unknown): Admission {
    if (answer === undefined || answer === null) return 'admitted'
    const { refuse, retry } = answer as Partial<Record<keyof MessageRefusal, unknown>>
    if (typeof refuse !== 'string') return fail('gave neither nothing nor a code')
    return { code: refuse, retry: retry === true }
  }

  return (message, decided) => {
    let answer: unknown
    try {
      // It is typed by the protocol, whose reader has made the message.
      answer = accept(message as never)
    } catch (cause) {
      decided(fail('threw', cause))
      return
    }
    if (!isThenable(answer)) {
      decided(read(answer))
      return
    }
    let isOver = false
    const decide = (admission: () => Admission) => {
      if (isOver) return
      isOver = true
      clock.clearTimeout(timer)
      decided(admission())
    }
    const timer = clock.setTimeout(() => {
      decide(() => fail(`gave no answer within ${LONGEST_ACCEPT_MS} ms`))
    }, LONGEST_ACCEPT_MS)
    answer.then(
      (value) => {
        decide(() => read(value))
      },
      (cause: unknown) => {
        decide(() => fail('rejected', cause))
      },
    )
  }
}
