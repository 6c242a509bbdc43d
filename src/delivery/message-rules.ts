import { type ReportError, SyncError } from '../base/errors.js'
import {
  assertOutboxRule,
  type OutboxRule,
  type SendOptions,
  type WhenFull,
} from '../schemas/outbox-rule.js'
import type { StoredMessage } from './store/stored-message.js'

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
  whenFull(type: string): WhenFull {
    return this.#rules.get(type)?.whenFull ?? 'refuse'
  }

  /** Applies the rule of its type to a new message; options of the call go before the rule. */
  apply(
    { id, type, payload, acceptedAt }: Omit<StoredMessage, 'priority'>,
    given: SendOptions,
  ): StoredMessage {
    const rule = this.#rules.get(type) ?? {}
    const key = this.#keyOf(rule, payload)
    const { ttlMs = rule.ttlMs, priority = rule.priority ?? 0 } = given
    return {
      id,
      type,
      acceptedAt,
      priority,
      ...(payload !== undefined && { payload }),
      ...(ttlMs !== undefined && { expiresAt: acceptedAt + ttlMs }),
      ...(key !== undefined && { key }),
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
