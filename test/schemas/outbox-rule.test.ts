import { describe, expect, it } from 'vitest'
import { assertOutboxRule, type OutboxRule } from '../../src/schemas/outbox-rule.js'

const check = (rule: unknown) => () => {
  assertOutboxRule('protocol-invalid', 'outbox.SAY', rule as OutboxRule<never>)
}

describe('the rule of a type in the outbox', () => {
  it.each([
    {},
    { keepLatestBy: () => 'key', ttlMs: 0, priority: -1.5, whenFull: 'refuse' },
    { ttlMs: 5_000, priority: 0, whenFull: 'dropOldest' },
  ])('[OUT-13] may be %o', (rule) => {
    expect(check(rule)).not.toThrow()
  })

  it.each([
    [{ keepLatestBy: 'id' }, 'outbox.SAY.keepLatestBy must be a function'],
    [{ whenFull: 'dropNewest' }, "outbox.SAY.whenFull must be 'refuse' or 'dropOldest'"],
    [{ whenFull: '' }, "outbox.SAY.whenFull must be 'refuse' or 'dropOldest'"],
    [{ ttlMs: -1 }, 'outbox.SAY.ttlMs must be a number of milliseconds'],
    [{ ttlMs: Number.NaN }, 'outbox.SAY.ttlMs must be a number of milliseconds'],
    [{ priority: Number.POSITIVE_INFINITY }, 'outbox.SAY.priority must be a number'],
    [{ priority: '1' }, 'outbox.SAY.priority must be a number'],
  ])('[OUT-13] is refused where it makes no sense: %o', (rule, message) => {
    expect(check(rule)).toThrow(message)
    expect(check(rule)).toThrow(expect.objectContaining({ code: 'protocol-invalid' }))
  })
})
