import { type ReportError, SyncError } from '../base/errors.js'
import { assertOutboxRule, type OutboxRule, type SendOptions } from '../schemas/outbox-rule.js'
import type { NewMessage } from './new-message.js'

/** The rules of a protocol for the types of messages that it sends. */
export class MessageRules {
  // `defineProtocol` has tied each rule to the payload of its type.
  readonly #rules: ReadonlyMap<string, OutboxRule<never>>
  readonly #report: ReportError

  /** @throws SyncError `protocol-invalid`, naming the part that makes no sense. */
  constructor(rules: unknown, report: ReportError) {
    const entries = Object.entries((rules ?? {}) as Record<string, OutboxRule<never>>)
    for (const [type, rule] of entries) assertOutboxRule('protocol-invalid', `outbox.${type}`, rule)
    this.#rules = new Map(entries)
    this.#report = report
  }

  /** What makes room for a message of this type. Default: nothing does. */
  whenFull(type: string): NewMessage['whenFull'] {
    return this.#rules.get(type)?.whenFull ?? 'refuse'
  }

  /** Applies the rule of its type to a message; options of the call go before the rule. */
  apply(type: string, payload: unknown, given: SendOptions): NewMessage {
    const rule = this.#rules.get(type) ?? {}
    return {
      type,
      payload,
      key: this.#keyOf(rule, payload),
      ttlMs: given.ttlMs ?? rule.ttlMs,
      priority: given.priority ?? rule.priority ?? 0,
      whenFull: rule.whenFull ?? 'refuse',
    }
  }

  #keyOf({ keepLatestBy }: OutboxRule<never>, payload: unknown): string | undefined {
    try {
      return keepLatestBy?.(payload as never)
    } catch (cause) {
      this.#report(new SyncError('handler-threw', 'keepLatestBy threw.', { cause }))
      return undefined
    }
  }
}
