import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { openAccount } from '../../../examples/dashboard/worker/account.js'

type Charge = { newBalance: number; change: number; reason: string }

/** A server that keeps one balance, and answers as it is told to. */
async function serve(opening: number) {
  const charges: Charge[] = []
  let balance = opening
  let answer: (request: IncomingMessage) => number | 'hang up' = () => 200
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const verdict = answer(request)
      if (request.method === 'POST' && verdict !== 503) {
        const charge = JSON.parse(Buffer.concat(chunks).toString()) as Charge
        charges.push(charge)
        balance = charge.newBalance
      }
      if (verdict === 'hang up') request.socket.destroy()
      else response.writeHead(verdict).end(JSON.stringify({ balance }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const job = {
    folder: '.',
    userId: 'ada',
    deviceId: 'photo-worker',
    webSocketUrl: `ws://127.0.0.1:${port}/ws`,
    httpUrl: `http://127.0.0.1:${port}`,
    secret: 'open-sesame',
    outboxFolder: '.',
    paceMs: 0,
  }
  return {
    job,
    charges,
    balance: () => balance,
    answers(next: typeof answer) {
      answer = next
    },
  }
}

const quiet = { signal: new AbortController().signal, onRefused: () => {} }

it('[DEMO-9] charges one credit after the other, in order, as a trusted caller', async () => {
  const server = await serve(500)
  const callers: unknown[] = []
  server.answers(({ method, headers }) => {
    callers.push(`${method} ${headers.authorization}`)
    return 200
  })
  const account = await openAccount(server.job, quiet)
  for (const reason of ['a', 'b', 'c']) account.charge(reason)
  await account.settled()
  expect(server.charges).toEqual([
    { userId: 'ada', newBalance: 499, change: -1, reason: 'a' },
    { userId: 'ada', newBalance: 498, change: -1, reason: 'b' },
    { userId: 'ada', newBalance: 497, change: -1, reason: 'c' },
  ])
  expect(account.balance).toBe(497)
  expect(callers[0]).toBe('GET Bearer ada:photo-worker')
  expect(callers[1]).toBe('POST Bearer open-sesame')
})

it('[DEMO-9] tops an empty account up before it is charged', async () => {
  const server = await serve(1)
  const account = await openAccount(server.job, quiet)
  account.charge('a')
  account.charge('b')
  await account.settled()
  expect(server.charges.map(({ change, newBalance }) => [change, newBalance])).toEqual([
    [-1, 0],
    [500, 500],
    [-1, 499],
  ])
})

it('[DEMO-11] makes a charge again whose answer was lost, and it counts once', async () => {
  const server = await serve(500)
  const account = await openAccount(server.job, quiet)
  const answers: (number | 'hang up')[] = ['hang up', 503, 'hang up', 200]
  server.answers(() => answers.shift() ?? 200)
  account.charge('a')
  account.charge('b')
  await account.settled()
  expect(server.charges.map(({ newBalance }) => newBalance)).toEqual([499, 499, 499, 498])
  expect(server.balance()).toBe(498)
  expect(account.balance).toBe(498)
})

it('[DEMO-11] ends with an answer that no repetition would change, and says so at once', async () => {
  const server = await serve(500)
  const refused: unknown[] = []
  const account = await openAccount(server.job, {
    ...quiet,
    onRefused: (error) => refused.push(error),
  })
  server.answers(() => 403)
  account.charge('a')
  account.charge('b')
  await expect(account.settled()).rejects.toThrow('403')
  expect(server.charges).toHaveLength(1)
  expect(refused).toMatchObject([{ message: '/api/sync/credit-update was answered with 403' }, {}])
  server.answers(() => 500)
  await expect(openAccount(server.job, quiet)).rejects.toThrow('500')
})

it('stops asking when aborted', async () => {
  const server = await serve(500)
  const controller = new AbortController()
  const account = await openAccount(server.job, { ...quiet, signal: controller.signal })
  server.answers(() => {
    controller.abort()
    return 'hang up'
  })
  account.charge('a')
  await expect(account.settled()).rejects.toThrow('abort')
})
