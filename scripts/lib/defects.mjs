/**
 * Mistakes that the properties of delivery (test/property/delivery.test.ts) must find.
 *
 * An entry says where its mistake is planted by meaning, so that it survives moves and rewrites:
 *
 * - `folder` (or a file): where to search.
 * - `unit`: the function, method or class there, by name; `Outbox.accept` for the `accept` inside
 *   `Outbox`.
 * - `pattern`: a statement or expression inside the unit, as code. `$name` is any expression,
 *   `$$name` all remaining arguments. `name` also matches `anything.name`. Layout, `this.`, `#`,
 *   `?.`, casts, and braces around one statement make no difference.
 * - What happens there: nothing more, and the statement is dropped; `replace`: code in place of
 *   the match; `before`: code in front of the statement. Both may use the pattern's wildcards.
 *
 * A pattern that matches nowhere, or twice, is an error that shows the code of the unit.
 *
 * @typedef {object} Defect
 * @property {string} name
 * @property {string} folder
 * @property {string} unit
 * @property {string} pattern
 * @property {string} [replace]
 * @property {string} [before]
 */

const folder = 'src/delivery'

/** @type {readonly Defect[]} */
export const defects = [
  // Messages from the server.
  {
    name: 'duplicates are applied',
    folder,
    unit: 'see',
    pattern: "if ($condition) return 'duplicate'",
  },
  {
    name: 'a gap is not seen',
    folder,
    unit: 'see',
    pattern: "if (seq > $next) return 'gap'",
  },
  {
    name: 'the cursor moves before a gap is seen',
    folder,
    unit: 'see',
    pattern: "if (seq > $next) return 'gap'",
    before: 'this.#position = { epoch, seq }',
  },
  {
    name: 'the epoch of a message is not compared',
    folder,
    unit: 'see',
    pattern: "if (epoch !== $position.epoch) return 'gap'",
  },
  {
    name: 'a gap is not reported',
    folder,
    unit: 'foundGap',
    pattern: "tell({ type: 'gap.found' })",
  },
  {
    name: 'a heartbeat is not read',
    folder,
    unit: '$ping',
    pattern: 'if (isBehind($head)) $found()',
  },
  {
    name: 'a snapshot does not move the cursor',
    folder,
    unit: 'applySnapshot',
    pattern: '$cursor.set({ epoch, seq })',
    replace: '$cursor.set($cursor.position ?? { epoch, seq })',
  },
  {
    name: 'a snapshot moves the cursor without the state',
    folder,
    unit: 'applySnapshot',
    pattern: 'restore(state)',
  },
  {
    name: 'the cursor outlives the state',
    folder: 'src/client.ts',
    unit: 'stop',
    pattern: 'forgetPosition()',
  },
  {
    name: 'answers that one connection owed are waited for on the next',
    folder,
    unit: 'beginConnection',
    pattern: 'unanswered = 0',
  },
  // Messages to the server.
  {
    name: 'an acknowledgement counts for one more',
    folder,
    unit: 'acknowledge',
    pattern: '$entry.n > n',
    replace: '$entry.n > n + 1',
  },
  {
    name: 'an acknowledgement counts for one less',
    folder,
    unit: 'acknowledge',
    pattern: '$entry.n > n',
    replace: '$entry.n >= n',
  },
  {
    name: 'an acknowledgement of another outbox counts',
    folder,
    unit: '$ack',
    pattern: 'if ($isOurs) $acknowledge(n)',
    replace: '$acknowledge(n)',
  },
  {
    name: 'a number is given twice after a reconnect',
    folder,
    unit: 'Transmission.resume',
    pattern: '$hwm + 1',
    replace: '$hwm',
  },
  {
    name: 'nothing is numbered anew',
    folder,
    unit: 'renumber',
    pattern: 'nextNumber = n',
  },
  {
    name: 'the last message that the server accepted is sent again',
    folder,
    unit: 'sortByAnswer',
    pattern: 'isRemembered && n <= hwm',
    replace: 'isRemembered && n < hwm',
  },
  {
    name: 'refusals are not read when resuming',
    folder,
    unit: 'sortByAnswer',
    pattern: 'new Map(refused)',
    replace: 'new Map<number, string>()',
  },
  {
    name: 'a possible duplicate is never reported',
    folder,
    unit: 'sortByAnswer',
    pattern: 'mayBeDuplicate = true',
  },
  {
    name: 'every retransmission is a possible duplicate',
    folder,
    unit: 'sortByAnswer',
    pattern: '!isRemembered && $wasTransmitted',
    replace: '$wasTransmitted',
  },
  {
    name: 'the epoch of the outbox is not compared',
    folder,
    unit: 'sortByAnswer',
    pattern: 'isSameMemory && $isOfThisEpoch',
    replace: 'isSameMemory || $isOfThisEpoch',
  },
  {
    name: 'abandoned messages are sent again',
    folder,
    unit: 'takeBack',
    pattern: 'isAbandoned = true',
  },
  {
    name: 'a message that was taken back is sent when the socket has room',
    folder,
    unit: 'takeBack',
    pattern: 'withdraw($entry)',
  },
  {
    name: 'the window is not respected',
    folder,
    unit: 'numberMore',
    pattern: '$count < $channel.window',
    replace: '$count < $channel.window + 1',
  },
  {
    name: 'a message that was refused for now is overtaken',
    folder,
    unit: 'next',
    pattern: 'for (const $entry of again) return $entry',
    replace:
      'if (this.#byId.size === this.#again.size) for (const $entry of this.#again) return $entry',
  },
  {
    name: 'expired messages are sent',
    folder,
    unit: 'expired',
    pattern: '$at <= epochMs',
    replace: '$at <= 0',
  },
  {
    name: 'replaced messages are sent',
    folder,
    unit: 'offer',
    pattern: 'remove(replaced)',
  },
  {
    name: 'the queue is dropped on stop',
    folder: 'src/client.ts',
    unit: 'stop',
    pattern: 'forgetPosition()',
    before: 'this.outbox.clear()',
  },
  {
    name: 'a receipt settles twice',
    folder,
    unit: 'give',
    pattern: 'if (value !== undefined) return',
  },
  // What the storage holds.
  {
    name: 'numbers are used before they are written',
    folder,
    unit: 'writeNumbers',
    pattern: 'store === undefined',
    replace: 'channel.epoch !== undefined',
  },
  {
    name: 'settled messages stay in the storage',
    folder,
    unit: 'settleEntry',
    pattern: '$store.remove(message.id, $told)',
    replace: "Promise.resolve('stored')",
  },
  {
    name: 'each run uses another name on the wire',
    folder,
    unit: 'OutboxOwner.open',
    pattern: 'const isWhole = $before.history === history',
    replace: 'const isWhole = history === undefined',
  },
  {
    name: 'a copy of an outbox keeps its name on the wire',
    folder,
    unit: 'ControlFrames.renew',
    pattern: '$outbox.renew()',
  },
  {
    name: 'the starts before are not told',
    folder,
    unit: 'toClaim',
    pattern: 'past.length > 0',
    replace: 'past.length < 0',
  },
]
