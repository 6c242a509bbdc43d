import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeliveryLog, LogChange } from '../../../src/server/index.js'
import { LogModel } from './model.js'

/** A place that a log is opened at, and opened again. */
export interface LogPlace {
  open(): Promise<DeliveryLog>
  /** Closes the log, and gives what is opened after it. */
  reopen(log: DeliveryLog): Promise<DeliveryLog>
}

interface Step {
  readonly user: 'ada' | 'bob'
  readonly messages: number
  readonly device: 'mac' | 'phone' | undefined
  readonly forget: boolean
  readonly trim: boolean
  readonly reopen: 'user' | 'log' | undefined
}

const step: fc.Arbitrary<Step> = fc.record({
  user: fc.constantFrom('ada', 'bob'),
  messages: fc.nat({ max: 3 }),
  device: fc.constantFrom('mac', 'phone', undefined),
  forget: fc.boolean(),
  trim: fc.boolean(),
  reopen: fc.constantFrom('user', 'log', undefined),
})

function toChange({ messages, device, forget, trim }: Step, model: LogModel): LogChange {
  const head = model.head + messages
  const refused: [number, string][] = [[head, 'no']]
  const mark = { hwm: head, fence: 1, start: 's', refused }
  return {
    append: Array.from({ length: messages }, (_, index) => ({
      seq: model.head + index + 1,
      type: 'SAID',
      data: JSON.stringify('ä'.repeat(40)),
      timestamp: index,
      deviceId: 'mac',
    })),
    ...(device && { marks: [{ deviceId: device, cid: 'out', ...mark }] }),
    ...(forget && { forget: [{ deviceId: 'mac', cid: 'out' }] }),
    ...(trim && {
      trim: { first: Math.max(model.first, head), checkpoint: { seq: head, state: `${head}` } },
    }),
  }
}

/** Tests what every log must do. */
export function testLog(
  name: string,
  makePlace: () => Promise<LogPlace>,
  { numRuns = 100 }: { readonly numRuns?: number } = {},
): void {
  describe(`a log in ${name}`, () => {
    it('[DSRV-30] says what it was told, over any changes and openings', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20, size: 'max' }), async (steps) => {
          const place = await makePlace()
          let log = await place.open()
          const models = { ada: new LogModel(), bob: new LogModel() }
          const epochs = new Map<string, string>()
          for (const one of steps) {
            const model = models[one.user]
            const opened = await log.open(one.user)
            const isKnown = model.head + model.marks.size > 0
            if (isKnown) expect(opened.epoch).toBe(epochs.get(one.user))
            model.expectToBe(opened)
            epochs.set(one.user, opened.epoch)
            const change = toChange(one, model)
            await log.commit(one.user, change)
            // Twice, so that numbers go on without an opening in between.
            await log.commit(one.user, {})
            model.apply(change)
            if (one.reopen === 'user') log.close?.(one.user)
            if (one.reopen === 'log') log = await place.reopen(log)
          }
          for (const user of ['ada', 'bob'] as const) models[user].expectToBe(await log.open(user))
          await place.reopen(log)
        }),
        { numRuns },
      )
    })
  })
}
