import { type Found, numberKey, type Read, type Row, type Write } from '../../database/database.js'
import type {
  ClientMark,
  LogChange,
  LoggedCheckpoint,
  LoggedMessage,
  UserLog,
} from './delivery-log.js'
import { markKey } from './user-log.js'

// The rows of one user are in two tables. One has a row for each message. The other has a row with
// the header, one with the checkpoint if there is one, and one for each mark. A user id is any text,
// so it stands last in a table's name.

/** What each commit writes anew, so that missing rows are noticed. */
export interface UserHeader {
  readonly epoch: string
  /** The database's history at the time of writing. */
  readonly history: string
  readonly first: number
  /** The number of the newest message; 0: none yet. */
  readonly head: number
  /** How many marks were written so far: each mark has its number, which orders them. */
  readonly marksWritten: number
}

/** A user as it was read. */
export interface OpenedUser {
  readonly header: UserHeader
  readonly log: UserLog
  /** What repairs the rows. */
  readonly writes: readonly Write[]
}

type StoredMark = ClientMark & { readonly at: number }

/** What the rows of a user say, before it is known whether they are complete. */
interface ReadUser {
  readonly header: UserHeader | undefined
  readonly checkpoint: LoggedCheckpoint | undefined
  readonly messages: readonly LoggedMessage[]
  /** The least recently written first. */
  readonly marks: readonly StoredMark[]
}

const HEADER = 'header'
const CHECKPOINT = 'checkpoint'
const MARK_PREFIX = 'mark '

/** The reads that {@link openUser} needs. */
export function readsOf(userId: string): readonly Read[] {
  const { user, messages } = tablesOf(userId)
  return [{ table: user }, { table: messages }]
}

/** Reads a user from its rows. Where rows may be lost, the user gets the new epoch. */
export function openUser(
  userId: string,
  { rows: [userRows = [], messageRows = []], history }: Found,
  newEpoch: string,
): OpenedUser {
  const header = parse(userRows, HEADER) as UserHeader | undefined
  const checkpoint = parse(userRows, CHECKPOINT) as LoggedCheckpoint | undefined
  const messages = messageRows.map(parseMessage)
  const marks = userRows
    .filter(({ key }) => key.startsWith(MARK_PREFIX))
    .map(({ value }) => JSON.parse(value) as StoredMark)
  marks.sort((a, b) => a.at - b.at)
  const user = { header, checkpoint, messages, marks }
  if (userRows.length + messageRows.length === 0) {
    const fresh = { epoch: newEpoch, history, first: 1, head: 0, marksWritten: 0 }
    return { header: fresh, log: toLog(user, fresh), writes: [] }
  }
  if (header?.history === history && isComplete(messages, header)) {
    return { header, log: toLog(user, header), writes: [] }
  }
  return repairUser(userId, user, history, newEpoch)
}

/**
 * Keeps what is left of a user's rows, under a new epoch and numbered without a gap. The checkpoint
 * is kept if all messages since then are there. Otherwise nobody can know the state: the numbers
 * then begin above 1 and there is no checkpoint, so that no state is made from what is left.
 */
function repairUser(
  userId: string,
  { header, checkpoint, messages, marks }: ReadUser,
  history: string,
  epoch: string,
): OpenedUser {
  const since = checkpoint?.seq ?? 0
  const isStateKnown =
    header !== undefined &&
    isComplete(
      messages.filter(({ seq }) => seq > since),
      { first: since + 1, head: header.head },
    )
  const newest = Math.max(header?.head ?? 0, messages.at(-1)?.seq ?? 0)
  // Counted back from the newest message, so that the checkpoint's number still holds.
  const head = isStateKnown ? newest : newest + 1
  const first = head - messages.length + 1
  const marksWritten = Math.max(header?.marksWritten ?? 0, marks.at(-1)?.at ?? 0)
  const repaired: UserHeader = { epoch, history, first, head, marksWritten }
  const kept = isStateKnown ? checkpoint : undefined
  const numbered = messages.map((message, index) => ({ ...message, seq: first + index }))
  const tables = tablesOf(userId)
  return {
    header: repaired,
    log: toLog({ checkpoint: kept, messages: numbered, marks }, repaired),
    writes: [
      ...messages.map(({ seq }) => deleteMessage(tables.messages, seq)),
      ...numbered.map((message) => writeMessage(tables.messages, message)),
      writeCheckpoint(tables.user, kept),
      writeHeader(tables.user, repaired),
    ],
  }
}

/** The writes of a change, and the header after it. */
export function writesOf(
  userId: string,
  header: UserHeader,
  { append = [], marks = [], forget = [], trim }: LogChange,
): { readonly header: UserHeader; readonly writes: readonly Write[] } {
  const tables = tablesOf(userId)
  const writes: Write[] = []
  let { first, head, marksWritten } = header
  for (const message of append) {
    head = message.seq
    writes.push(writeMessage(tables.messages, message))
  }
  for (const mark of marks) {
    marksWritten += 1
    const value = JSON.stringify({ ...mark, at: marksWritten } satisfies StoredMark)
    writes.push({ table: tables.user, key: MARK_PREFIX + markKey(mark), value })
  }
  for (const mark of forget) {
    writes.push({ table: tables.user, key: MARK_PREFIX + markKey(mark), value: undefined })
  }
  if (trim !== undefined) {
    for (; first < trim.first; first += 1) {
      writes.push(deleteMessage(tables.messages, first))
    }
    if (trim.checkpoint !== undefined) writes.push(writeCheckpoint(tables.user, trim.checkpoint))
  }
  const next = { ...header, first, head, marksWritten }
  return { header: next, writes: [...writes, writeHeader(tables.user, next)] }
}

function tablesOf(userId: string) {
  return { user: `log/user/${userId}`, messages: `log/messages/${userId}` }
}

function toLog(
  { checkpoint, messages, marks }: Omit<ReadUser, 'header'>,
  { epoch, first }: UserHeader,
): UserLog {
  return {
    epoch,
    first,
    messages,
    marks: marks.map(({ at: _at, ...mark }) => mark),
    ...(checkpoint !== undefined && { checkpoint }),
  }
}

/** Whether there is a message for each number. */
function isComplete(
  messages: readonly LoggedMessage[],
  { first, head }: Pick<UserHeader, 'first' | 'head'>,
): boolean {
  if (messages.length !== head - first + 1) return false
  return messages.every(({ seq }, index) => seq === first + index)
}

function parse(rows: readonly Row[], wanted: string): unknown {
  const row = rows.find(({ key }) => key === wanted)
  return row === undefined ? undefined : JSON.parse(row.value)
}

function parseMessage({ key, value }: Row): LoggedMessage {
  return { seq: Number(key), ...(JSON.parse(value) as Omit<LoggedMessage, 'seq'>) }
}

function writeMessage(table: string, { seq, ...message }: LoggedMessage): Write {
  return { table, key: numberKey(seq), value: JSON.stringify(message) }
}

function deleteMessage(table: string, seq: number): Write {
  return { table, key: numberKey(seq), value: undefined }
}

function writeHeader(table: string, header: UserHeader): Write {
  return { table, key: HEADER, value: JSON.stringify(header) }
}

function writeCheckpoint(table: string, checkpoint: LoggedCheckpoint | undefined): Write {
  return { table, key: CHECKPOINT, value: checkpoint && JSON.stringify(checkpoint) }
}
