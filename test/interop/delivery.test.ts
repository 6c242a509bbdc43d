import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommonOptions, createSyncClient, type SyncError } from 'statewire'
import { createDelivery } from 'statewire/delivery'
import { kull } from 'statewire/kull'
import { createMemoryLog, createSyncServer, type SyncServerOptions } from 'statewire/server'
import { createSqliteLog, type DatabaseLog } from 'statewire/server/sqlite'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openProxy, type TcpProxy } from '../../chaos/proxy.js'

const disposals: (() => unknown)[] = []

afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose()
})

// Each message counts here: kull itself sends only the latest of a shoot.
const protocol = { ...kull, outbox: {} }
interface ServeOptions extends Partial<SyncServerOptions<typeof kull.receive, typeof kull.send>> {
  readonly isPlain?: boolean
}

/** What is there when it is there; the bound is for what hangs. */
const eventually = (check: () => unknown) => vi.waitFor(check, { timeout: 30_000, interval: 10 })

/** A place that servers come and go at. */
function createPlace() {
  let port = 1
  return {
    get port() {
      return port
    },
    async serve({ isPlain = false, ...options }: ServeOptions = {}) {
      const errors: SyncError[] = []
      const server = createSyncServer({
        protocol: kull,
        ...(!isPlain && { delivery: {} }),
        onError: (error) => errors.push(error),
        ...options,
      })
      ;({ port } = await server.listen(0, '127.0.0.1'))
      disposals.push(() => server.close({ graceMs: 0 }))
      return { server, errors, delivery: () => server.stats().delivery! }
    },
  }
}

/** A device behind a proxy of its own. */
async function connect(
  place: { readonly port: number },
  deviceId: string,
  options: Partial<CommonOptions>,
) {
  const proxy = await openProxy(() => place.port)
  disposals.push(() => proxy.close())
  const heard: number[] = []
  const errors: SyncError[] = []
  const sync = createSyncClient(protocol, {
    url: `ws://127.0.0.1:${proxy.port}/ws`,
    credentials: { userId: 'ada', deviceId },
    backoff: { stepsMs: [20], jitter: 'none', maxAttempts: Number.POSITIVE_INFINITY },
    restartSpreadMs: 0,
    onError: (error) => errors.push(error),
    ...options,
  })
  disposals.push(() => sync.dispose())
  sync.on('SHOOT_PROGRESS', ({ data }) => {
    heard.push(data.processedCount ?? 0)
  })
  sync.start()
  await eventually(() => expect(sync.isConnected).toBe(true))
  return { sync, proxy, heard, errors }
}

async function connectDevice(place: { readonly port: number }, deviceId: string) {
  const device = await connect(place, deviceId, { delivery: createDelivery() })
  await eventually(() => expect(device.sync.outbox.status.delivery).toBe('live'))
  return device
}

type Device = Awaited<ReturnType<typeof connect>>

/** Keeps a device away until the function that is given lets it come back. */
async function cutOff({ sync, proxy }: { sync: Device['sync']; proxy: TcpProxy }) {
  proxy.blackhole()
  proxy.cut()
  await eventually(() => expect(sync.isConnected).toBe(false))
  return () => {
    // What tried meanwhile has been waiting in the dark.
    proxy.cut()
    proxy.heal()
  }
}

const progress = (processedCount: number, shootId = 'shoot-1') =>
  ({ shootId, status: 'processing', processedCount, totalCount: 10_000 }) as const

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)
const delivered = { outcome: 'delivered' }
const shootsOf = ({ sync }: Pick<Device, 'sync'>) => [...sync.state.activeShootProgress]

async function makeLog(): Promise<() => Promise<DatabaseLog>> {
  const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
  disposals.push(() => rm(directory, { recursive: true, force: true }))
  return () => createSqliteLog(join(directory, 'log.sqlite'))
}

/** A gate that `accept` waits at. */
function createGate() {
  let open: () => void = () => undefined
  let arrived = 0
  const opened = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined)
  })
  return {
    open: () => open(),
    arrived: () => arrived,
    pass() {
      arrived += 1
      return opened
    },
  }
}

describe('delivery between our client and our server, over real sockets', () => {
  it('[DLV-6] [DSRV-3] goes on after a cut with what was missed, once and in order', async () => {
    const place = createPlace()
    const { server, delivery } = await place.serve()
    const mac = await connectDevice(place, 'MAC')
    const phone = await connectDevice(place, 'PHONE')
    for (const n of upTo(20)) server.broadcastToUser('ada', 'SHOOT_PROGRESS', progress(n))
    await eventually(() => expect(phone.heard).toHaveLength(20))
    const comeBack = await cutOff(phone)
    for (const n of upTo(40).slice(20)) mac.sync.send('UPDATE_PROGRESS', progress(n))
    await eventually(() => expect(mac.heard).toHaveLength(40))
    expect(phone.heard).toHaveLength(20)
    comeBack()
    await eventually(() => expect(phone.heard).toEqual(upTo(40)))
    expect(mac.heard).toEqual(upTo(40))
    expect(shootsOf(phone)).toEqual(shootsOf(mac))
    expect(phone.sync.outbox.counts()).toMatchObject({ resumed: 1, reset: 1, gaps: 0 })
    expect(delivery()).toMatchObject({ taken: 20, replayed: 20, resets: 2, duplicates: 0 })
  })

  it('[DLV-8] [DSRV-4] [DSRV-11] gives the state to who was away for longer than the log is', async () => {
    const place = createPlace()
    const { server, delivery } = await place.serve({ delivery: { maxEntries: 10 } })
    const mac = await connectDevice(place, 'MAC')
    const phone = await connectDevice(place, 'PHONE')
    server.broadcastToUser('ada', 'SHOOT_PROGRESS', progress(1))
    await eventually(() => expect(phone.heard).toEqual([1]))
    const comeBack = await cutOff(phone)
    for (const n of upTo(50)) {
      server.broadcastToUser('ada', 'SHOOT_PROGRESS', progress(n, `shoot-${n}`))
    }
    comeBack()
    await eventually(() => expect(phone.sync.state.activeShootProgress.size).toBe(50))
    expect(shootsOf(phone)).toEqual(shootsOf(mac))
    expect(phone.heard).toEqual([1])
    expect(phone.sync.outbox.counts()).toMatchObject({ resumed: 0, reset: 2 })
    expect(delivery()).toMatchObject({ resets: 3 })
  })

  it('[DLV-12] says that a message may be there twice where a restart lost the log', async () => {
    const place = createPlace()
    const gate = createGate()
    const first = await place.serve({ delivery: { log: createMemoryLog(), accept: gate.pass } })
    const mac = await connectDevice(place, 'MAC')
    const receipt = mac.sync.send('UPDATE_PROGRESS', progress(1))
    await eventually(() => expect(gate.arrived()).toBe(1))
    await first.server.close({ graceMs: 50 })
    const later = mac.sync.send('UPDATE_PROGRESS', progress(2))
    const { delivery } = await place.serve()
    expect(await receipt.settled).toEqual({ ...delivered, possibleDuplicate: true })
    expect(await later.settled).toEqual(delivered)
    expect(mac.heard).toEqual([1, 2])
    expect(mac.sync.outbox.counts()).toMatchObject({ retransmitted: 1, reset: 2 })
    expect(delivery()).toMatchObject({ taken: 2, resets: 1 })
  })

  it('[DLV-11] [DSRV-32] settles without a second sending what a log in SQLite has', async () => {
    const place = createPlace()
    const openLog = await makeLog()
    const log = await openLog()
    const gate = createGate()
    const first = await place.serve({ delivery: { log, accept: gate.pass } })
    const mac = await connectDevice(place, 'MAC')
    const receipt = mac.sync.send('UPDATE_PROGRESS', progress(1))
    await eventually(() => expect(gate.arrived()).toBe(1))
    // It is taken, and the acknowledgement goes nowhere.
    mac.proxy.blackhole()
    gate.open()
    await eventually(() => expect(first.delivery().taken).toBe(1))
    await first.server.close({ graceMs: 50 })
    await log.end()
    const nextLog = await openLog()
    disposals.push(() => nextLog.end())
    const { delivery } = await place.serve({ delivery: { log: nextLog } })
    mac.proxy.cut()
    mac.proxy.heal()
    expect(await receipt.settled).toEqual(delivered)
    expect(await mac.sync.send('UPDATE_PROGRESS', progress(2)).settled).toEqual(delivered)
    await eventually(() => expect(mac.heard).toEqual([1, 2]))
    expect(mac.sync.outbox.counts()).toMatchObject({ retransmitted: 0, resumed: 1, reset: 1 })
    expect(delivery()).toMatchObject({ taken: 1, replayed: 1, duplicates: 0, resets: 0 })
  })

  it('[DLV-10] [DSRV-13] refuses for good and for now, and keeps the order', async () => {
    const place = createPlace()
    let isBusy = true
    const { delivery } = await place.serve({
      delivery: {
        accept({ type, payload }) {
          if (type !== 'UPDATE_PROGRESS') return undefined
          if (payload.processedCount === 1) return { refuse: 'nothing-new' }
          if (payload.processedCount !== 3 || !isBusy) return undefined
          isBusy = false
          return { refuse: 'busy', retry: true }
        },
      },
    })
    const mac = await connectDevice(place, 'MAC')
    const receipts = upTo(5).map((n) => mac.sync.send('UPDATE_PROGRESS', progress(n)))
    expect(await Promise.all(receipts.map(({ settled }) => settled))).toEqual([
      { outcome: 'refused', code: 'nothing-new' },
      ...[delivered, delivered, delivered, delivered],
    ])
    expect(mac.heard).toEqual([2, 3, 4, 5])
    expect(delivery()).toMatchObject({ taken: 4, refused: 2 })
    expect(mac.sync.outbox.counts().retransmitted).toBe(3)
  })

  it('[DLV-15] [DSRV-19] comes back after a drain no sooner than it was told', async () => {
    const place = createPlace()
    const openLog = await makeLog()
    const log = await openLog()
    const draws = [0.2, 0.6]
    const random = () => draws.shift() ?? 0
    const first = await place.serve({ delivery: { log, drainSpreadMs: 2_000, random } })
    const devices = [await connectDevice(place, 'MAC'), await connectDevice(place, 'PHONE')]
    const closedAt = performance.now()
    await first.server.close()
    await log.end()
    const nextLog = await openLog()
    disposals.push(() => nextLog.end())
    const { server } = await place.serve({ delivery: { log: nextLog } })
    const receipts = devices.map(({ sync }, at) => sync.send('UPDATE_PROGRESS', progress(at)))
    const waits = [400, 1_200]
    for (const [at, receipt] of receipts.entries()) {
      expect(await receipt.settled).toEqual(delivered)
      // Timers may fire up to a millisecond early.
      expect(performance.now() - closedAt).toBeGreaterThan(waits[at]! - 2)
      expect(server.devices('ada').length).toBeGreaterThanOrEqual(at + 1)
    }
    for (const { sync } of devices) expect(sync.outbox.counts()).toMatchObject({ resumed: 1 })
  })

  it('[DSRV-8] lets a reader that does not read lag, and catch up', async () => {
    const place = createPlace()
    const { server, delivery } = await place.serve({
      delivery: { highWaterBytes: 64 * 1024, maxLogBytes: 2 ** 26 },
    })
    const mac = await connectDevice(place, 'MAC')
    const phone = await connectDevice(place, 'PHONE')
    phone.proxy.blackhole()
    const count = 400
    // Far more than the sockets' own buffers hold.
    const provider = 'x'.repeat(50_000)
    for (const n of upTo(count)) {
      server.broadcastToUser('ada', 'SHOOT_PROGRESS', { ...progress(n), provider })
      // As fast as the other one reads.
      if (n % 50 === 0) await eventually(() => expect(mac.heard).toHaveLength(n))
    }
    expect(phone.heard.length).toBeLessThan(count)
    expect(server.stats().tooSlow).toBe(0)
    phone.proxy.heal()
    await eventually(() => expect(phone.heard).toEqual(upTo(count)))
    expect(phone.proxy.connections).toBe(1)
    expect(phone.sync.outbox.counts()).toMatchObject({ resumed: 0, reset: 1, gaps: 0 })
    expect(delivery()).toMatchObject({ resets: 2 })
  })

  it('[DLV-13] refuses what is too large before it is sent; the connection stays', async () => {
    const place = createPlace()
    await place.serve({ maxMessageBytes: 2_000 })
    const mac = await connectDevice(place, 'MAC')
    const large = mac.sync.send('UPDATE_PROGRESS', progress(1, 'x'.repeat(3_000)))
    const small = mac.sync.send('UPDATE_PROGRESS', progress(2))
    expect(await large.settled).toEqual({ outcome: 'refused', code: 'too-large' })
    expect(await small.settled).toEqual(delivered)
    expect(mac.proxy.connections).toBe(1)
  })

  it('[DLV-3] [CODE-9] goes on with a plain server that closes over what is too large', async () => {
    const place = createPlace()
    const { server } = await place.serve({ isPlain: true, maxMessageBytes: 2_000 })
    const phone = await connect(place, 'PHONE', {})
    const mac = await connect(place, 'MAC', { delivery: createDelivery() })
    const large = mac.sync.send('UPDATE_PROGRESS', progress(1, 'x'.repeat(3_000)))
    expect(await large.settled).toEqual({ outcome: 'sent' })
    await eventually(() => expect(mac.proxy.connections).toBe(2))
    expect(await mac.sync.send('UPDATE_PROGRESS', progress(2)).settled).toEqual({ outcome: 'sent' })
    await eventually(() => expect(phone.heard).toEqual([2]))
    expect(mac.sync.outbox.status).toMatchObject({ delivery: 'plain', depth: 0 })
    expect(server.stats().delivery).toBeUndefined()
  })

  it('[DLV-17] [DSRV-5] knows at once, after a cut, who has gone meanwhile', async () => {
    const place = createPlace()
    const { server } = await place.serve()
    const mac = await connectDevice(place, 'MAC')
    const phone = await connectDevice(place, 'PHONE')
    await eventually(() => expect(phone.sync.state.connectedDevices.size).toBe(2))
    const comeBack = await cutOff(phone)
    mac.sync.stop()
    await eventually(() => expect(server.devices('ada')).toEqual([]))
    await connectDevice(place, 'TABLET')
    comeBack()
    await eventually(() => {
      expect([...phone.sync.state.connectedDevices.keys()].sort()).toEqual(['PHONE', 'TABLET'])
    })
    expect(phone.sync.outbox.counts()).toMatchObject({ resumed: 1 })
  })

  it('[DSRV-22] serves a plain client beside the others', async () => {
    const place = createPlace()
    const { server, delivery } = await place.serve()
    const plain = await connect(place, 'PLAIN', {})
    const mac = await connectDevice(place, 'MAC')
    for (const n of upTo(10)) plain.sync.send('UPDATE_PROGRESS', progress(n))
    await eventually(() => expect(mac.heard).toHaveLength(10))
    for (const n of upTo(20).slice(10)) mac.sync.send('UPDATE_PROGRESS', progress(n))
    await eventually(() => expect(plain.heard).toHaveLength(20))
    server.broadcastToUser('ada', 'SHOOT_PROGRESS', progress(21))
    for (const { heard } of [plain, mac]) await eventually(() => expect(heard).toEqual(upTo(21)))
    expect(shootsOf(plain)).toEqual(shootsOf(mac))
    expect(plain.sync.outbox.counts().accepted).toBe(0)
    expect(delivery()).toMatchObject({ taken: 10, resets: 1 })
  })

  it('[DLV-20] [DSRV-23] two devices are equal at rest, however often they were cut off', async () => {
    const place = createPlace()
    const { server, delivery } = await place.serve()
    const devices = [await connectDevice(place, 'MAC'), await connectDevice(place, 'PHONE')]
    const receipts = []
    for (const n of upTo(300)) {
      const device = devices[n % 2]!
      receipts.push(device.sync.send('UPDATE_PROGRESS', progress(n, `shoot-${n % 7}`)))
      if (n % 10 === 0) server.broadcastToUser('ada', 'SHOOT_PROGRESS', progress(1_000 + n))
      if (n % 25 === 0) {
        const { proxy, sync } = devices[(n / 25) % 2]!
        const { resumed } = sync.outbox.counts()
        proxy.cut()
        await eventually(() => expect(sync.outbox.counts().resumed).toBe(resumed + 1))
      }
    }
    for (const { settled } of receipts) expect(await settled).toEqual(delivered)
    const [mac, phone] = devices as [Device, Device]
    await eventually(() => expect(mac.heard).toHaveLength(330))
    await eventually(() => expect(phone.heard).toEqual(mac.heard))
    expect(new Set(mac.heard).size).toBe(330)
    expect(shootsOf(phone)).toEqual(shootsOf(mac))
    for (const parity of [0, 1]) {
      const own = mac.heard.filter((n) => n <= 300 && n % 2 === parity)
      expect(own).toEqual([...own].sort((left, right) => left - right))
    }
    for (const { sync } of devices) expect(sync.outbox.counts().resumed).toBe(6)
    expect(delivery()).toMatchObject({ taken: 300 })
    expect([...mac.errors, ...phone.errors]).toEqual([])
  })
})
