import type {
  ClientMark,
  LogChange,
  LoggedCheckpoint,
  LoggedMessage,
  UserLog,
} from './delivery-log.js'

/** A {@link UserLog} that can be changed. */
export interface UserLogState {
  readonly epoch: string
  first: number
  readonly messages: LoggedMessage[]
  /** By {@link markKey}, the least recently written first. */
  readonly marks: Map<string, ClientMark>
  checkpoint: LoggedCheckpoint | undefined
}

/** Makes an empty log, of a user that was not known. */
export function createUserLog(epoch: string): UserLogState {
  return { epoch, first: 1, messages: [], marks: new Map(), checkpoint: undefined }
}

/** Copies what a log has of a user, to be changed. */
export function readUserLog({ epoch, first, messages, marks, checkpoint }: UserLog): UserLogState {
  return {
    epoch,
    first,
    messages: [...messages],
    marks: new Map(marks.map((mark) => [markKey(mark), mark])),
    checkpoint,
  }
}

/** Copies a user's log, for others to read. */
export function writeUserLog({ marks, checkpoint, ...log }: UserLogState): UserLog {
  return {
    ...log,
    messages: [...log.messages],
    marks: [...marks.values()],
    ...(checkpoint !== undefined && { checkpoint }),
  }
}

/** The number of the newest message; 0: none yet. */
export function headOf({ first, messages }: Pick<UserLog, 'first' | 'messages'>): number {
  return first + messages.length - 1
}

/** The key of a mark. Clients choose both ids, so that no separator would keep them apart. */
export function markKey({ deviceId, cid }: Pick<ClientMark, 'deviceId' | 'cid'>): string {
  return `${deviceId.length}:${deviceId}${cid}`
}

/** Applies a change to a user's log. */
export function applyChange(log: UserLogState, change: LogChange): void {
  const { append = [], marks = [], forget = [], trim } = change
  for (const message of append) {
    if (log.messages.length === 0) log.first = message.seq
    log.messages.push(message)
  }
  for (const mark of marks) {
    const key = markKey(mark)
    log.marks.delete(key)
    log.marks.set(key, mark)
  }
  for (const one of forget) log.marks.delete(markKey(one))
  if (trim === undefined) return
  log.messages.splice(0, trim.first - log.first)
  log.first = trim.first
  log.checkpoint = trim.checkpoint ?? log.checkpoint
}
