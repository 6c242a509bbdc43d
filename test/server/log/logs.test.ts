import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { FileLog } from '../../../src/server/file-log/index.js'
import { openFileLog } from '../../../src/server/file-log/index.js'
import type { ClientMark, LogChange, LoggedMessage, UserLog } from '../../../src/server/index.js'
import { createMemoryLog } from '../../../src/server/index.js'

let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statewire-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

/** What a log must say, as plainly as can be. */
class Model {
  readonly messages = new Map<number, LoggedMessage>()
  readonly marks = new Map<string, ClientMark>()
  checkpoint: unknown
  head = 0
  first = 1

  apply({ append = [], marks = [], forget = [], trim }: LogChange): void {
    for (const message of append) {
      this.head += 1
      expect(message.seq).toBe(this.head)
      this.messages.set(message.seq, message)
    }
    for (const mark of marks) this.marks.set(`${mark.deviceId} ${mark.cid}`, mark)
    for (const { deviceId, cid } of forget) this.marks.delete(`${deviceId} ${cid}`)
    if (trim === undefined) return
    for (const seq of this.messages.keys()) if (seq < trim.first) this.messages.delete(seq)
    this.first = trim.first
    this.checkpoint = trim.checkpoint ?? this.checkpoint
  }

  expectToBe({ first, messages, marks, checkpoint }: UserLog): void {
    expect(first).toBe(this.first)
    expect(messages).toEqual([...this.messages.values()])
    expect(checkpoint).toEqual(this.checkpoint)
    const byKey = (a: ClientMark, b: ClientMark) =>
      `${a.deviceId} ${a.cid}`.localeCompare(`${b.deviceId} ${b.cid}`)
    expect([...marks].sort(byKey)).toEqual([...this.marks.values()].sort(byKey))
  }
}

interface Step {
  readonly user: 'ada' | 'bob'
  readonly messages: number
  readonly device: 'mac' | 'phone' | undefined
  readonly forget: boolean
  readonly trim: boolean
  readonly reopen: boolean
}

const step: fc.Arbitrary<Step> = fc.record({
  user: fc.constantFrom('ada', 'bob'),
  messages: fc.nat({ max: 3 }),
  device: fc.constantFrom('mac', 'phone', undefined),
  forget: fc.boolean(),
  trim: fc.boolean(),
  reopen: fc.boolean(),
})

function toChange(
  { messages, device, forget, trim }: Step,
  model: Model,
  epoch: string,
): LogChange {
  const head = model.head + messages
  return {
    epoch,
    append: Array.from({ length: messages }, (_, index) => ({
      seq: model.head + index + 1,
      type: 'SAID',
      data: JSON.stringify('ä'.repeat(40)),
      timestamp: index,
      deviceId: 'mac',
    })),
    ...(device && {
      marks: [{ deviceId: device, cid: 'out', hwm: head, fence: 1, refused: [[head, 'no']] }],
    }),
    ...(forget && { forget: [{ deviceId: 'mac', cid: 'out' }] }),
    ...(trim && {
      trim: { first: Math.max(model.first, head), checkpoint: { seq: head, state: `${head}` } },
    }),
  }
}

describe.each(['memory', 'files'])('a log in %s', (kind) => {
  it('[DSRV-30] says what it was told, over any changes and openings', async () => {
    let sorted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20, size: 'max' }), async (steps) => {
        const directory = join(folder, 'log')
        await rm(directory, { recursive: true, force: true })
        const openLog = () =>
          kind === 'memory' ? createMemoryLog() : openFileLog({ directory, maxJournalBytes: 1_000 })
        let log = await openLog()
        const models = { ada: new Model(), bob: new Model() }
        const epochs = new Map<string, string>()
        for (const one of steps) {
          const model = models[one.user]
          const opened = await log.open(one.user)
          if (model.head > 0) expect(opened.epoch).toBe(epochs.get(one.user))
          model.expectToBe(opened)
          epochs.set(one.user, opened.epoch)
          const change = toChange(one, model, opened.epoch)
          await log.commit(one.user, change)
          // Twice, so that numbers go on without an opening in between.
          await log.commit(one.user, { epoch: opened.epoch })
          model.apply(change)
          if (!one.reopen) continue
          if (kind === 'memory') log.close?.(one.user)
          else {
            await (log as FileLog).end()
            log = await openLog()
          }
        }
        for (const user of ['ada', 'bob'] as const) models[user].expectToBe(await log.open(user))
        if (kind === 'memory') return
        await (log as FileLog).end()
        if ((await readdir(join(directory, 'users'))).length > 0) sorted += 1
      }),
      { numRuns: kind === 'memory' ? 200 : 25 },
    )
    if (kind === 'files') expect(sorted).toBeGreaterThan(5)
  })
})

describe('a log in memory', () => {
  it('[DSRV-31] forgets users that nobody needs, the least recently used first', async () => {
    let epochs = 0
    const log = createMemoryLog({ maxUsers: 2, makeEpoch: () => `${(epochs += 1)}` })
    for (const user of ['ada', 'bob', 'ada', 'eve']) {
      await log.open(user)
      log.close!(user)
    }
    log.close!('nobody')
    expect(await log.open('ada')).toMatchObject({ epoch: '1' })
    expect(await log.open('bob')).toMatchObject({ epoch: '4' })
    const invalid = expect.objectContaining({ code: 'option-invalid' }) as unknown
    expect(() => createMemoryLog({ maxUsers: 0 })).toThrow(invalid)
  })
})

describe('a log in files', () => {
  it('[DSRV-32] says what it was told, whatever byte a crash tore it at', async () => {
    const directory = join(folder, 'log')
    const log = await openFileLog({ directory, maxJournalBytes: 2 ** 20 })
    const { epoch } = await log.open('ada')
    const ends: number[] = []
    for (let seq = 1; seq <= 3; seq += 1) {
      const message = { seq, type: 'SAID', timestamp: seq, deviceId: 'mac' }
      await log.commit('ada', { epoch, append: [message] })
      ends.push((await stat(join(directory, 'journal-a'))).size)
    }
    await log.end()
    const whole = await readFile(join(directory, 'journal-a'))
    for (let length = 0; length <= whole.byteLength; length += 19) {
      const copy = join(folder, `copy-${length}`)
      await cp(directory, copy, { recursive: true })
      await writeFile(join(copy, 'journal-a'), whole.subarray(0, length))
      const torn = await openFileLog({ directory: copy })
      const complete = ends.filter((end) => end <= length).length
      expect((await torn.open('ada')).messages.map(({ seq }) => seq)).toEqual(
        [1, 2, 3].slice(0, complete),
      )
      await torn.end()
      // What was in the journal is in the user's file by now, and that may be torn as well.
      const [file] = await readdir(join(copy, 'users'))
      if (file === undefined) continue
      const path = join(copy, 'users', file)
      const sorted = await readFile(path)
      await writeFile(path, Buffer.concat([sorted, sorted.subarray(0, 20)]))
      const again = await openFileLog({ directory: copy })
      const opened = await again.open('ada')
      expect(opened).toMatchObject({ epoch })
      const next = { seq: complete + 1, type: 'SAID', timestamp: 0, deviceId: 'mac' }
      await again.commit('ada', { epoch, append: [next] })
      expect((await again.open('ada')).messages).toHaveLength(complete + 1)
      await again.end()
    }
  })

  it('[DSRV-32] has all that it said is there, kill -9 after kill -9', async () => {
    const directory = join(folder, 'log')
    const said = new Map<string, { epoch: string; seq: number }>()
    let kills = 0
    for (let round = 0; round < 6; round += 1) {
      const writer = fileURLToPath(new URL('log-writer.ts', import.meta.url))
      const child = spawn(process.execPath, ['--import', 'tsx', writer, directory])
      onTestFinished(() => void child.kill('SIGKILL'))
      const lines = createInterface(child.stdout)
      lines.on('line', (line) => {
        const [user = '', epoch = '', seq] = line.split(' ')
        expect(said.get(user)?.epoch ?? epoch).toBe(epoch)
        said.set(user, { epoch, seq: Number(seq) })
      })
      await once(lines, 'line')
      await new Promise((resolve) => setTimeout(resolve, 120 + round * 13.7))
      child.kill('SIGKILL')
      await once(child, 'close')
      kills += 1
      const log = await openFileLog({ directory, lockTimeoutMs: 10_000 })
      for (const [user, { epoch, seq }] of said) {
        const opened = await log.open(user)
        const head = opened.first + opened.messages.length - 1
        expect(opened.epoch).toBe(epoch)
        expect(head).toBeGreaterThanOrEqual(seq)
        // The mark and the message were written together, and so was the state at the trim.
        expect(opened.marks).toMatchObject([{ hwm: head }])
        expect(opened.messages.map((message) => message.seq)).toEqual(
          opened.messages.map((_, at) => opened.first + at),
        )
        if (opened.first > 1)
          expect(opened.checkpoint!.seq).toBeGreaterThanOrEqual(opened.first - 1)
      }
      await log.end()
    }
    expect(kills).toBe(6)
    // Witnesses: it wrote much, and into the users' files, too.
    expect(said.get('ada')!.seq).toBeGreaterThan(150)
    expect(await readdir(join(directory, 'users'))).toHaveLength(3)
  })

  it('[DSRV-33] is one process’s own while it is open, and takes no more once it is closed', async () => {
    const directory = join(folder, 'log')
    const log = await openFileLog({ directory })
    await expect(openFileLog({ directory })).rejects.toMatchObject({ code: 'option-invalid' })
    const { epoch } = await log.open('ada')
    await expect(log.commit('bob', { epoch })).rejects.toThrow('not open')
    await log.end()
    await expect(log.commit('ada', { epoch })).rejects.toThrow('taken')
    await (await openFileLog({ directory })).end()
    for (const options of [{ directory: '' }, { directory, maxJournalBytes: 0 }]) {
      await expect(openFileLog(options)).rejects.toMatchObject({ code: 'option-invalid' })
    }
  })
})
