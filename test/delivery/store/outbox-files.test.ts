import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFileOutboxStore } from '../../../src/delivery/store/node.js'
import {
  foldersOf,
  outcomeName,
  publishOutcomes,
} from '../../../src/delivery/store/node-outbox-files.js'
import { createFileOutcomeReader } from '../../../src/delivery/store/node-outbox-outcomes.js'
import type { OutboxStore } from '../../../src/delivery/store/outbox-store.js'
import { createManualClock, type ManualClock } from '../../../src/testing/clock.js'
import { settle, until } from '../../compliance/real-time.js'
import { describeOutbox, keptMessage, record } from './outbox-compliance.js'

const leaseMs = 9_000
const pollMs = 1_000

describeOutbox('an outbox in files', async () => {
  const directory = join(await mkdtemp(join(tmpdir(), 'statewire-')), 'outbox')
  const clocks = new Map<OutboxStore, ManualClock>()

  // It renews its lease no more: its clock stands still, and for the others the lease expires.
  async function silence(store: OutboxStore): Promise<void> {
    clocks.delete(store)
    const lock = join(directory, 'lock')
    const numbers = (await readdir(lock).catch(() => [])).filter((name) => /^\d+$/.test(name))
    const top = Math.max(0, ...numbers.map(Number))
    if (top > 0) await utimes(join(lock, String(top)), 0, 0)
  }

  async function pass(): Promise<void> {
    for (let step = 0; step < 5; step += 1) {
      await Promise.all([...clocks.values()].map((clock) => clock.advanceAsync(leaseMs / 3)))
      await settle()
    }
  }

  return {
    open() {
      const clock = createManualClock()
      const store = createFileOutboxStore({ directory, leaseMs, pollMs, clock })
      clocks.set(store, clock)
      return store
    },
    crash: silence,
    async freeze(store) {
      const clock = clocks.get(store)
      await silence(store)
      return () => {
        if (clock !== undefined) clocks.set(store, clock)
      }
    },
    passLease: pass,
    leftovers: () =>
      [...clocks.values()].flatMap(({ pending }) => pending.deadlines.map((at) => `a timer ${at}`)),
    close: () => rm(join(directory, '..'), { recursive: true }),
  }
})

const never = new AbortController().signal
const writer = fileURLToPath(new URL('outbox-writer.ts', import.meta.url))

async function makeDirectory(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'statewire-'))
  onTestFinished(() => rm(root, { recursive: true }))
  return join(root, 'outbox')
}

function open(directory: string, more: { leaseMs?: number; pollMs?: number } = {}): OutboxStore {
  const store = createFileOutboxStore({ directory, pollMs: 20, ...more })
  onTestFinished(() => store.close())
  return store
}

/** A process that prints what it has done, one step a line. */
function start(directory: string, job: string) {
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [
    ...['--import', 'tsx', writer, directory, job],
  ])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const lines: string[] = []
  createInterface(child.stdout).on('line', (line) => lines.push(line))
  const hasSaid = async (count: number) => {
    const deadline = performance.now() + 30_000
    while (lines.length < count && performance.now() < deadline) await settle()
    expect(lines.length).toBeGreaterThanOrEqual(count)
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  return { child, lines, hasSaid, kill }
}

const idsOf = (messages: readonly { readonly id: string }[]) => messages.map(({ id }) => id)

describe('an outbox of files', () => {
  it('[KEEP-15] is readable by its owner only, and leaves one journal and two numbers', async () => {
    const directory = await makeDirectory()
    const [first, second] = [open(directory), open(directory)]
    await second.add([keptMessage('a')])
    const { added } = record(first)
    const owned = await first.acquire(never)
    await second.add([keptMessage('b')])
    await until(() => added.length === 1)
    await owned.write({ remove: [{ id: 'a', outcome: { outcome: 'delivered' } }] })
    for (const name of await readdir(directory, { recursive: true })) {
      const { mode } = await stat(join(directory, name))
      expect([name, (mode & 0o077).toString(8)]).toEqual([name, '0'])
    }
    await first.close()
    await (await second.acquire(never)).release()
    const left = await readdir(directory, { recursive: true })
    expect(left.filter((name) => name.startsWith('journal-'))).toHaveLength(1)
    expect(left.filter((name) => name.includes('~'))).toEqual([])
    expect(left.filter((name) => name.startsWith('inbox/'))).toEqual([])
    expect(left.filter((name) => name.startsWith('lock/')).length).toBeLessThanOrEqual(2)
  })

  it('[KEEP-16] cut off at any byte, has each change wholly or not at all', async () => {
    const directory = await makeDirectory()
    const store = open(directory)
    const owned = await store.acquire(never)
    await owned.write({ identity: { cid: 'x' }, put: [keptMessage('a'), keptMessage('b')] })
    await owned.write({
      put: [keptMessage('b', { key: 'k' }), keptMessage('c')],
      remove: [{ id: 'a', outcome: { outcome: 'delivered' } }],
    })
    await store.close()
    const name = (await readdir(directory)).find((file) => file.startsWith('journal-'))!
    const bytes = await readFile(join(directory, name))
    const states = new Set<string>()
    for (let length = 0; length <= bytes.length; length += 1) {
      const copy = `${directory}-${length}`
      await mkdir(copy)
      await writeFile(join(copy, name), bytes.subarray(0, length))
      // What a compaction that was killed leaves.
      await writeFile(join(copy, `${name}~draft`), bytes.subarray(0, length))
      const next = createFileOutboxStore({ directory: copy })
      const { messages, identity, fence } = await next.acquire(never)
      expect(fence).toBeGreaterThan(owned.fence)
      states.add(JSON.stringify([identity, messages]))
      await next.close()
      expect((await readdir(copy)).filter((file) => file.includes('~'))).toEqual([])
    }
    expect([...states].map((state) => JSON.parse(state) as unknown)).toEqual([
      [null, []],
      [{ cid: 'x' }, [keptMessage('a'), keptMessage('b')]],
      [{ cid: 'x' }, [keptMessage('b', { key: 'k' }), keptMessage('c')]],
    ])
  })

  it('[KEEP-16] does not grow with settled messages', async () => {
    const directory = await makeDirectory()
    const store = open(directory)
    const owned = await store.acquire(never)
    await owned.write({ put: [keptMessage('kept')] })
    const text = 'x'.repeat(50_000)
    for (let turn = 0; turn < 20; turn += 1) {
      await owned.write({ put: [keptMessage('over', { payload: { text } })] })
      await owned.write({ remove: [{ id: 'over', outcome: { outcome: 'delivered' } }] })
    }
    const name = (await readdir(directory)).find((file) => file.startsWith('journal-'))!
    expect((await stat(join(directory, name))).size).toBeLessThan(400_000)
    await owned.release()
    expect(idsOf((await store.acquire(never)).messages)).toEqual(['kept'])
  })

  it('[KEEP-16] has, after kill -9 at any moment, all that was reported as persisted, in order and once', async () => {
    for (const job of ['add', 'own']) {
      const directory = await makeDirectory()
      const said: string[] = []
      for (let round = 0; round < 4; round += 1) {
        const child = start(directory, job)
        await child.hasSaid(5 + round * 7)
        await child.kill()
        said.push(...child.lines)
        const store = open(directory)
        const { messages } = await store.acquire(never)
        await store.close()
        const kept = idsOf(messages)
        expect(new Set(kept).size).toBe(kept.length)
        const isSaid = new Set(said)
        expect(kept.filter((id) => isSaid.has(id))).toEqual(said)
        // At most what was under way when it was killed.
        expect(kept.length - said.length).toBeLessThanOrEqual(10 * (round + 1))
      }
    }
  })

  it('[KEEP-16] a takeover that was killed half way is made again', async () => {
    const directory = await makeDirectory()
    const store = open(directory)
    await store.add([keptMessage('a')])
    await store.add([keptMessage('b')])
    const inbox = join(directory, 'inbox')
    const files = await Promise.all(
      (await readdir(inbox)).map(
        async (name) => [name, await readFile(join(inbox, name))] as const,
      ),
    )
    const owned = await store.acquire(never)
    await owned.release()
    // The journal was written, the inbox not yet cleared; and somebody left something there.
    for (const [name, bytes] of files) await writeFile(join(inbox, name), bytes)
    await writeFile(join(inbox, 'strange'), 'not ours')
    expect(idsOf((await store.acquire(never)).messages)).toEqual(['a', 'b'])
    expect(await readdir(inbox)).toEqual(['strange'])
  })

  it('[KEEP-17] passes to another process at kill -9, whose messages’ fate is told on', async () => {
    const directory = await makeDirectory()
    const owner = start(directory, 'hold')
    await owner.hasSaid(1)
    const store = open(directory)
    const heard = record(store)
    await store.add([keptMessage('mine')])
    let fence: number | undefined
    const acquired = store.acquire(never).then((owned) => {
      fence = owned.fence
      return owned
    })
    await until(() => heard.removed.length === 1)
    expect(heard.removed).toEqual([['mine', { outcome: 'delivered' }]])
    expect(fence).toBeUndefined()
    await owner.kill()
    const owned = await acquired
    expect(owned.fence).toBeGreaterThan(Number(owner.lines[0]))
    expect(owned.messages).toEqual([])
  })

  it('[KEEP-17] passes from a stopped process after the lease, which then can write nothing', async () => {
    const directory = await makeDirectory()
    const owner = start(directory, 'insist')
    await owner.hasSaid(2)
    owner.child.kill('SIGSTOP')
    const store = open(directory, { leaseMs: 1_000 })
    const owned = await store.acquire(never)
    owner.child.kill('SIGCONT')
    await once(owner.child, 'close')
    expect(owner.lines.at(-1)).toBe('lost')
    const kept = idsOf(owned.messages)
    // Everything it was told is kept, and nothing from after the takeover.
    const said = owner.lines.slice(1, -1)
    expect(kept.slice(0, said.length)).toEqual(said)
    expect(kept.length - said.length).toBeLessThanOrEqual(1)
    await owned.release()
    expect(idsOf((await store.acquire(never)).messages)).toEqual(kept)
  })

  it('[KEEP-17] tells what an owner that was killed had no time to tell', async () => {
    const directory = await makeDirectory()
    const store = open(directory)
    const heard = record(store)
    await store.add([keptMessage('mine')])
    const owner = open(directory)
    const owned = await owner.acquire(never)
    // The change reached the disk; the telling did not.
    await rm(join(directory, 'outcomes'), { recursive: true })
    await owned.write({ remove: [{ id: 'mine', outcome: { outcome: 'delivered' } }] })
    await owned.release()
    expect(heard.removed).toEqual([])
    await open(directory).acquire(never)
    await until(() => heard.removed.length === 1)
  })

  it('[KEEP-19] does not bring back settled messages for an owner that lost the outbox', async () => {
    const directory = await makeDirectory()
    const inbox = join(directory, 'inbox')
    const thawed = open(directory)
    await thawed.add([keptMessage('a')])
    const [name = ''] = await readdir(inbox)
    const bytes = await readFile(join(inbox, name))
    // As if that had been in the journal of the owner that lost the outbox too, and is added anew.
    const addAgain = () => writeFile(join(inbox, name), bytes)
    const remove = [{ id: 'a', outcome: { outcome: 'delivered' } }]

    const store = open(directory)
    const { added } = record(store)
    const owned = await store.acquire(never)
    await owned.write({ remove })
    await addAgain()
    // The store reads files in order: once it has read the next one, it has read this one too.
    await open(directory).add([keptMessage('b')])
    await until(() => added.includes('b'))
    expect(added).toEqual(['b'])
    await owned.release()
    await addAgain()
    expect(idsOf((await open(directory).acquire(never)).messages)).toEqual(['b'])
    expect((await readdir(inbox)).length).toBe(0)
  })

  it('[KEEP-17] hears what the one before tells after the next has begun to', async () => {
    const directory = await makeDirectory()
    const { outcomes: folder } = foldersOf(directory)
    const store = open(directory)
    const { removed } = record(store)
    // It has looked around before it adds.
    await store.add([keptMessage('a')])
    for (const [fence, id] of [
      [2, 'later'],
      [1, 'earlier'],
    ] as const) {
      const outcomes = [{ id, outcome: { outcome: 'delivered' } }]
      await publishOutcomes(folder, outcomeName(fence, 1), { by: 'other', outcomes })
      await until(() => removed.some(([told]) => told === id))
    }
    expect(removed).toHaveLength(2)
  })

  it('[KEEP-17] keeps fences growing where the lock’s folder was removed', async () => {
    const directory = await makeDirectory()
    const store = open(directory)
    await store.add([keptMessage('a')])
    for (let turn = 0; turn < 3; turn += 1) await (await store.acquire(never)).release()
    await rm(join(directory, 'lock'), { recursive: true })
    const owned = await store.acquire(never)
    expect(owned).toMatchObject({ fence: 4, messages: [keptMessage('a')] })
    await rm(join(directory, 'lock'), { recursive: true })
    await mkdir(join(directory, 'lock'))
    await expect(owned.write({ put: [keptMessage('b')] })).rejects.toThrow()
    expect(owned.lost.aborted).toBe(true)
  })

  it('[KEEP-23] lets nobody who adds wait for what others tell', async () => {
    const directory = await makeDirectory()
    const folders = foldersOf(directory)
    const clock = createManualClock()
    const reader = createFileOutcomeReader(folders, 'me', { clock, everyMs: 1 }, () => undefined)
    reader.begin()
    await reader.begun
    // As many looks as it takes milliseconds, were each hint a look.
    clock.advance(10_000)
    let isBegun = false
    void reader.begun.then(() => (isBegun = true))
    await Promise.resolve()
    expect(isBegun).toBe(true)
    await reader.stop()
  })

  it('[KEEP-15] rejects where the folder cannot be used, and options that are none', async () => {
    const directory = await makeDirectory()
    await writeFile(directory, 'a file is in the way')
    const store = open(directory)
    await expect(store.ready()).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(store.add([keptMessage('a')])).rejects.toThrow()
    await expect(store.acquire(never)).rejects.toThrow()
    record(store).stop()
    for (const options of [
      { directory: '' },
      { directory, leaseMs: 0 },
      { directory, pollMs: Number.NaN },
    ]) {
      expect(() => createFileOutboxStore(options)).toThrow(
        expect.objectContaining({ code: 'option-invalid' }) as Error,
      )
    }
  })
})
