import { expect } from 'vitest'
import type { ClientMark, LogChange, LoggedMessage, UserLog } from '../../../src/server/index.js'

/** What a log must say, as plainly as can be. */
export class LogModel {
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
    for (const mark of marks) {
      const key = `${mark.deviceId} ${mark.cid}`
      this.marks.delete(key)
      this.marks.set(key, mark)
    }
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
    expect(marks).toEqual([...this.marks.values()])
  }
}
