import { setTimeout as pause } from 'node:timers/promises'
import * as z from 'zod'
import type { WorkerJob } from './job.js'

/** What an empty account is filled up by, so that no folder is too large for the demo. */
const topUp = 500
const retryMs = 300
const creditSummary = z.object({ balance: z.number() })

/** A user's credits, as the one who charges them knows them. */
export type Account = {
  readonly balance: number
  /** Takes one credit, after those that were charged before. */
  charge(reason: string): void
  /** Resolves once the server knows all charges; rejects with what stopped them. */
  settled(): Promise<void>
}

/**
 * Opens the account of a job's user. A server that cannot be reached is asked again until the signal
 * is aborted; where it answers a charge with an error, `onRefused` hears of it at once.
 */
export async function openAccount(
  job: WorkerJob,
  { signal, onRefused }: { signal: AbortSignal; onRefused: (error: unknown) => void },
): Promise<Account> {
  const { httpUrl, secret, userId, deviceId } = job
  const summary = await ask('/api/kull/credits/summary', {
    headers: { authorization: `Bearer ${userId}:${deviceId}` },
  })
  let { balance } = creditSummary.parse(await summary.json())
  let last: Promise<void> = Promise.resolve()

  // Balances are absolute: a request whose answer was lost can be made again and charges nothing twice.
  async function push(change: number, reason: string): Promise<void> {
    const newBalance = balance + change
    await ask('/api/sync/credit-update', {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ userId, newBalance, change, reason }),
    })
    balance = newBalance
  }

  async function ask(path: string, init: RequestInit): Promise<Response> {
    for (;;) {
      const response = await fetch(httpUrl + path, { ...init, signal }).catch(() => undefined)
      if (response?.ok === true) return response
      // 503: it is about to close, or not yet open.
      if (response !== undefined && response.status !== 503) {
        throw new Error(`${path} was answered with ${response.status}`)
      }
      await pause(retryMs, undefined, { signal })
    }
  }

  return {
    get balance() {
      return balance
    },
    charge(reason) {
      last = last.then(async () => {
        if (balance < 1) await push(topUp, 'Top-up')
        await push(-1, reason)
      })
      last.catch(onRefused)
    },
    settled: () => last,
  }
}
