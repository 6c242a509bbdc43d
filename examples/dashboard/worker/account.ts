import { setTimeout as pause } from 'node:timers/promises'
import * as z from 'zod'
import type { WorkerJob } from './job.js'

/** How much is added to an empty account, so that a large folder does not use up its credits. */
const topUp = 500
const retryMs = 300
const creditSummary = z.object({ balance: z.number() })

/** A user's credits, as the worker that charges them knows them. */
export type Account = {
  readonly balance: number
  /** Charges one credit, after the earlier charges. */
  charge(reason: string): void
  /** Resolves when the server knows all charges. Rejects with the error that stopped them. */
  settled(): Promise<void>
}

/**
 * Opens the account of a job's user. If the server cannot be reached, it asks again until the
 * signal is aborted. If the server answers a charge with an error, it calls `onRefused` at once.
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

  // A request sets the balance, so a request whose answer was lost can be repeated without charging
  // twice.
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
      // 503: the server is about to close, or not open yet.
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
