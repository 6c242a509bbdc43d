import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:http'
import { type ConnectionStatus, createSyncClient, type SyncError } from 'statewire'
import { kull } from 'statewire/kull'
import { createSyncServer } from 'statewire/server'
import { afterEach, describe, expect, it, vi } from 'vitest'

const disposals: (() => unknown)[] = []

afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose()
})

/** A real server on a real port, which can be stopped and started again. */
async function serve(port = 0, options: { maxMessageBytes?: number } = {}) {
  const http: Server = createServer()
  const sync = createSyncServer({ protocol: kull, server: http, ...options })
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    await sync.close({ graceMs: 200 })
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  }
  disposals.push(close)
  const address = http.address() as AddressInfo
  return { sync, close, port: address.port, url: `ws://127.0.0.1:${address.port}/ws` }
}

function connect(url: string, deviceId: string, options: { maxMessageBytes?: number } = {}) {
  const errors: SyncError[] = []
  const statuses: ConnectionStatus[] = []
  const sync = createSyncClient(kull, {
    url,
    credentials: { userId: 'user-1', deviceId },
    backoff: { stepsMs: [20], jitter: 'none', maxAttempts: 500 },
    restartSpreadMs: 0,
    onError: (error) => errors.push(error),
    ...options,
  })
  sync.status$.subscribe((status) => statuses.push(status))
  disposals.push(() => sync.dispose())
  sync.start()
  return { sync, errors, statuses }
}

describe('the client on our server, over real sockets', () => {
  it('[KULL-1] [SRV-1] two devices see the same progress and each other', async () => {
    const { url, sync: server } = await serve()
    const mac = connect(url, 'MAC')
    await vi.waitFor(() => expect(mac.sync.isConnected).toBe(true))
    const phone = connect(url, 'PHONE')
    await vi.waitFor(() => expect(mac.sync.state.connectedDevices.size).toBe(2))
    for (let count = 1; count <= 50; count += 1) {
      mac.sync.send('UPDATE_PROGRESS', {
        shootId: 'shoot-1',
        status: 'processing',
        processedCount: count,
        totalCount: 50,
      })
    }
    server.broadcastToUser('user-1', 'CREDIT_UPDATE', {
      userId: 'user-1',
      newBalance: 480,
      change: -20,
      reason: '',
    })
    for (const { sync } of [mac, phone]) {
      await vi.waitFor(() => {
        expect(sync.state.activeShootProgress.get('shoot-1')?.processedCount).toBe(50)
        expect(sync.state.creditBalance).toBe(480)
      })
    }
    phone.sync.stop()
    await vi.waitFor(() => {
      expect([...mac.sync.state.connectedDevices.keys()]).toEqual(['MAC'])
    })
    expect([...mac.errors, ...phone.errors]).toEqual([])
  })

  it('[CONN-1] [CONN-8] comes back after the server was restarted on its port', async () => {
    const first = await serve()
    const { sync, statuses } = connect(first.url, 'MAC')
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
    await first.close()
    await vi.waitFor(() => {
      const tries = statuses.filter(({ state }) => state === 'reconnecting')
      expect(tries.length).toBeGreaterThan(2)
    })
    const failures = statuses.flatMap((status) => ('cause' in status ? [status.cause.code] : []))
    expect(failures).toContain('network')
    await serve(first.port)
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
    expect(sync.status).toMatchObject({ state: 'connected' })
  })

  it('[CODE-10] is failed, without retry, where there is no token', async () => {
    const { url } = await serve()
    const plain = createSyncClient(
      {
        ...kull,
        credentials: { schema: kull.credentials?.schema, apply: () => undefined },
      } as typeof kull,
      { url, credentials: { userId: 'user-1' } },
    )
    disposals.push(() => plain.dispose())
    plain.start()
    await vi.waitFor(() => {
      expect(plain.status).toMatchObject({
        state: 'failed',
        error: { code: 'policy', cause: { code: 'closed', closeCode: 4001 } },
      })
    })
  })

  it('[CONN-14] lets a connection go that brings a message over the limit, and reconnects', async () => {
    const { url, sync: server } = await serve()
    const { sync, statuses } = connect(url, 'MAC', { maxMessageBytes: 1_000 })
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
    server.broadcastToUser('user-1', 'PROMPT_CHANGE', {
      promptId: 'x'.repeat(2_000),
      action: 'created',
    })
    await vi.waitFor(() => {
      expect(statuses).toContainEqual(
        expect.objectContaining({
          state: 'reconnecting',
          cause: expect.objectContaining({
            code: 'message-too-large',
            limitBytes: 1_000,
          }) as unknown,
        }),
      )
    })
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
  })

  it('[CODE-9] reconnects after the server refused a message that was too big', async () => {
    const { url } = await serve(0, { maxMessageBytes: 1_000 })
    const { sync, statuses } = connect(url, 'MAC')
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
    sync.send('UPDATE_PROGRESS', { shootId: 'x'.repeat(2_000), status: 'queued' })
    await vi.waitFor(() => {
      expect(statuses).toContainEqual(
        expect.objectContaining({
          state: 'reconnecting',
          cause: expect.objectContaining({ code: 'closed', closeCode: 1009 }) as unknown,
        }),
      )
    })
    await vi.waitFor(() => expect(sync.isConnected).toBe(true))
  })

  it('[CLI-14] leaves nothing behind after 200 connections', async () => {
    const { url, sync: server } = await serve()
    for (let round = 0; round < 200; round += 1) {
      const { sync } = connect(url, 'MAC')
      if (round % 2 === 0)
        await vi.waitFor(() => expect(sync.isConnected).toBe(true), { interval: 1 })
      sync.dispose()
    }
    await vi.waitFor(() => expect(server.devices('user-1')).toEqual([]), { timeout: 5_000 })
    await vi.waitFor(() => expect(openSockets()).toBe(0), { timeout: 5_000 })
  })
})

/** Sockets of this process that are open, on either side. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
}
