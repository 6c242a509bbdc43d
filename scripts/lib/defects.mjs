/**
 * Mistakes that the properties of delivery (test/property/delivery*) must find. Each is planted
 * by replacing a text that stands in its file exactly once.
 *
 * @typedef {{ name: string, file: string, find: string, replace: string }} Defect
 */

const cursor = 'src/delivery/cursor.ts'
const channel = 'src/delivery/channel.ts'
const transmission = 'src/delivery/transmission.ts'
const outbox = 'src/delivery/outbox.ts'
const queue = 'src/delivery/queue.ts'
const ending = 'src/delivery/ending.ts'
const receipt = 'src/delivery/receipt.ts'
const client = 'src/client.ts'

/** @type {readonly Defect[]} */
export const defects = [
  // What comes in.
  {
    name: 'duplicates are taken in',
    file: cursor,
    find: "if (seq <= position.seq) return 'duplicate'",
    replace: '',
  },
  {
    name: 'a gap is not seen',
    file: cursor,
    find: "if (seq > position.seq + 1) return 'gap'",
    replace: '',
  },
  {
    name: 'the cursor moves before a gap is seen',
    file: cursor,
    find: "if (seq > position.seq + 1) return 'gap'",
    replace:
      'const before = position; position = { epoch, seq }; ' +
      "if (seq > before.seq + 1) return 'gap'",
  },
  {
    name: 'the epoch of a message is not compared',
    file: cursor,
    find: "if (epoch !== position.epoch) return 'gap'",
    replace: '',
  },
  {
    name: 'a gap is not told of',
    file: channel,
    find: "tell({ type: 'gap.found' })",
    replace: '',
  },
  {
    name: 'a heartbeat is not read',
    file: channel,
    find: 'if (cursor.isBehind({ epoch, seq: head })) foundGap()',
    replace: '',
  },
  {
    name: 'a snapshot does not move the cursor',
    file: channel,
    find: 'cursor.set({ epoch, seq })',
    replace: 'cursor.set(cursor.position ?? { epoch, seq })',
  },
  {
    name: 'a snapshot moves the cursor without the state',
    file: channel,
    find: 'options.restore(state)',
    replace: '',
  },
  {
    name: 'the cursor outlives the state',
    file: client,
    find: 'delivery?.forgetState()',
    replace: '',
  },
  {
    name: 'answers owed are carried over to the next connection',
    file: channel,
    find: 'hasSpoken = false\n      unanswered = 0',
    replace: 'hasSpoken = false',
  },
  // What goes out.
  {
    name: 'an acknowledgement counts for one more',
    file: transmission,
    find: 'entry.n === undefined || entry.n > n)',
    replace: 'entry.n === undefined || entry.n > n + 1)',
  },
  {
    name: 'an acknowledgement counts for one less',
    file: transmission,
    find: 'entry.n === undefined || entry.n > n)',
    replace: 'entry.n === undefined || entry.n >= n)',
  },
  {
    name: "another's acknowledgement counts",
    file: channel,
    find: 'if (cid === outbox().owner?.cid) outbox().transmission.acknowledge(n)',
    replace: 'outbox().transmission.acknowledge(n)',
  },
  {
    name: 'a number is given twice after a reconnect',
    file: transmission,
    find: 'renumber(stays, hwm + 1)',
    replace: 'renumber(stays, hwm)',
  },
  {
    name: 'nothing is numbered anew',
    file: transmission,
    find: 'outgoing = []\n    nextNumber = n',
    replace: 'outgoing = []',
  },
  {
    name: 'the last message that was taken is sent again',
    file: transmission,
    find: 'isRemembered && n <= hwm',
    replace: 'isRemembered && n < hwm',
  },
  {
    name: 'refusals are not read when resuming',
    file: transmission,
    find: 'const codes = new Map(refused)',
    replace: 'const codes = new Map<number, string>(refused.slice(refused.length))',
  },
  {
    name: 'a possible duplicate is never told',
    file: transmission,
    find: 'entry.mayBeTwice = true',
    replace: 'entry.mayBeTwice = false',
  },
  {
    name: 'every retransmission is a possible duplicate',
    file: transmission,
    find: 'if (!isRemembered && entry.wasTransmitted)',
    replace: 'if (entry.wasTransmitted)',
  },
  {
    name: 'the epoch of the outbox is not compared',
    file: transmission,
    find: 'isTheSame && entry.sentEpoch === epoch',
    replace: 'isTheSame || entry.sentEpoch === epoch',
  },
  {
    name: 'abandoned messages are sent again',
    file: outbox,
    find: 'entry.isAbandoned = true',
    replace: 'entry.isAbandoned = false',
  },
  {
    name: 'what was taken back goes out when the socket has room',
    file: outbox,
    find: 'transmission.withdraw(entry)\n    if (entry.n',
    replace: 'if (entry.n',
  },
  {
    name: 'the window is not respected',
    file: transmission,
    find: 'queue.numbered.length < to.window',
    replace: 'queue.numbered.length < to.window + 1',
  },
  {
    name: 'what was refused for now is overtaken',
    file: queue,
    find: 'for (const entry of again) return entry\n',
    replace: 'if (byId.size === again.size) for (const entry of again) return entry\n',
  },
  {
    name: 'expired messages are sent',
    file: queue,
    find: 'if (expiresAt <= epochMs) expired.push(entry)',
    replace: 'if (expiresAt <= 0) expired.push(entry)',
  },
  {
    name: 'replaced messages are sent',
    file: queue,
    find: 'if (replaced !== undefined) remove(replaced)',
    replace: '',
  },
  {
    name: 'the queue is dropped on stop',
    file: client,
    find: 'delivery?.forgetState()',
    replace: 'outbox.clear(); delivery?.forgetState()',
  },
  {
    name: 'a receipt settles twice',
    file: receipt,
    find: 'if (this.value !== undefined) return',
    replace: '',
  },
  // What is kept.
  {
    name: 'numbers are used before they are written',
    file: transmission,
    find: 'if (write === undefined) {',
    replace: 'if (to.epoch !== undefined) {',
  },
  {
    name: 'what is over stays in the storage',
    file: ending,
    find: "if (write === undefined || entry.keeping === 'none') {",
    replace: "if (write !== undefined || entry.keeping === 'none') {",
  },
  {
    name: 'each run takes a name of its own',
    file: outbox,
    find: 'const { identity = { cid: makeId() }, fence } = kept',
    replace: 'const { fence } = kept; const identity = { cid: makeId() }',
  },
]
