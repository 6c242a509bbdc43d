import type { FakeTransport, FakeSocket } from 'statewire/testing'

/** A message as the model's log has it. */
export interface Logged {
  readonly seq: number
  readonly type: string
  readonly data: unknown
  /** `cid/n` of the client's message that caused it. */
  readonly id?: string
}

interface Mark {
  hwm: number
  fence: number
  refused: [number, string][]
  owner: FakeSocket | undefined
}

/** What a model server is told to do wrong, or otherwise than usual. */
export interface Behaviour {
  /** Does not greet: a plain server. */
  isPlain: boolean
  /** Takes messages, and loses every acknowledgement of them. */
  losesAcks: boolean
  /** Takes no message at all. */
  ignoresMessages: boolean
  /** Does not answer `$resume`. */
  ignoresResume: boolean
  /** Gives no state with `$snapshot`. */
  hasState: boolean
  window: number
  maxBytes: number
  /** Refuses a message: the code, and whether it may come again. */
  refuse: (text: string) => { code: string; retry: boolean } | undefined
}

/**
 * The server's side of docs/protocol.md in as few lines as will do, for one user, on the fake
 * network: what clients are tested against, written from the document and not from our server.
 * A client's `SAY {text}` or `NOTE {text}` goes to everybody as `SAID {id, text}`.
 */
export function createModelServer(network: FakeTransport) {
  const behaviour: Behaviour = {
    isPlain: false,
    losesAcks: false,
    ignoresMessages: false,
    ignoresResume: false,
    hasState: true,
    window: 256,
    maxBytes: 1_000_000,
    refuse: () => undefined,
  }
  let epochs = 1
  let epoch = 'epoch-1'
  let head = 0
  let log: Logged[] = []
  let marks = new Map<string, Mark>()
  // What the log came to, for snapshots: the texts by id.
  let lines = new Map<string, string>()
  const following = new Set<FakeSocket>()
  const plain: string[] = []
  const resumes: unknown[] = []

  const first = (): number => log[0]?.seq ?? head + 1

  function send(socket: FakeSocket, type: string, data?: unknown): void {
    if (socket.isOpen) socket.sendsRaw(JSON.stringify({ type, data }))
  }

  function sendLogged(socket: FakeSocket, { seq, type, data, id }: Logged): void {
    if (socket.isOpen) socket.sendsRaw(JSON.stringify({ type, data, seq, epoch, id }))
  }

  function append(type: string, data: { id: string; text: string }, id?: string): void {
    head += 1
    const entry: Logged = { seq: head, type, data, ...(id !== undefined && { id }) }
    log.push(entry)
    lines.set(data.id, data.text)
    for (const socket of following) sendLogged(socket, entry)
  }

  function resume(socket: FakeSocket, payload: unknown): void {
    resumes.push(payload)
    if (behaviour.ignoresResume) return
    const at = { ...(payload as { epoch?: string; seq?: number; cid?: string; fence?: number }) }
    const standing = at.cid === undefined ? {} : stand(socket, at.cid, at.fence ?? 0)
    const why =
      at.epoch === undefined || at.seq === undefined
        ? 'new'
        : at.epoch !== epoch
          ? 'epoch'
          : at.seq > head
            ? 'ahead'
            : at.seq + 1 < first()
              ? 'trimmed'
              : undefined
    if (why === undefined) {
      send(socket, '$resumed', { epoch, head, ...standing })
    } else {
      send(socket, '$reset', { why, epoch, head, ...standing })
      const state = behaviour.hasState ? [...lines] : undefined
      const seq = behaviour.hasState || why === 'new' ? head : first() - 1
      send(socket, '$snapshot', { epoch, seq, state })
      at.seq = seq
    }
    send(socket, '$roster')
    for (const entry of log) if (entry.seq > (at.seq ?? 0)) sendLogged(socket, entry)
    following.add(socket)
  }

  function stand(socket: FakeSocket, cid: string, fence: number) {
    const known = marks.get(cid)
    if (known !== undefined && known.fence > fence) return {}
    const mark: Mark = known ?? { hwm: 0, fence, refused: [], owner: socket }
    mark.owner = socket
    mark.fence = fence
    marks.set(cid, mark)
    return { hwm: mark.hwm, known: known !== undefined, refused: mark.refused }
  }

  function take(socket: FakeSocket, cid: string, n: number, text: string): void {
    const mark = marks.get(cid)
    if (behaviour.ignoresMessages || mark?.owner !== socket) return
    if (n > mark.hwm + 1) return
    if (n === mark.hwm + 1) {
      const refusal = behaviour.refuse(text)
      if (refusal !== undefined) {
        if (!refusal.retry) {
          mark.hwm = n
          mark.refused.push([n, refusal.code])
        }
        send(socket, '$nack', { cid, n, ...refusal })
        return
      }
      mark.hwm = n
      append('SAID', { id: `${cid}/${n}`, text }, `${cid}/${n}`)
    }
    if (!behaviour.losesAcks) send(socket, '$ack', { cid, n: mark.hwm })
  }

  network.peer.accepts((socket) => {
    if (behaviour.isPlain || !socket.request.url.includes('caps=1')) return
    const { maxBytes, window } = behaviour
    send(socket, '$hello', { v: 1, epoch, head, first: first(), maxBytes, idleMs: 30_000, window })
  })
  network.peer.answersAnything(({ type, data, meta }, socket) => {
    if (type === '$resume') resume(socket, data)
    else if (type === 'SAY' || type === 'NOTE') {
      const { text } = data as { text: string }
      if (meta.cid === undefined || meta.n === undefined) plain.push(text)
      else take(socket, meta.cid, meta.n, text)
    }
  })

  return {
    behaviour,
    /** Messages that came without a number. */
    plain,
    /** What clients said about where they stand. */
    resumes,
    get epoch() {
      return epoch
    },
    get head() {
      return head
    },
    /** Every text that was ever taken, in order, those that were trimmed since included. */
    get log() {
      return log
    },
    get texts() {
      return log.map(({ data }) => (data as { text: string }).text)
    },
    says(text: string, id = `server/${head + 1}`): void {
      append('SAID', { id, text })
    },
    /** Tells the connections that follow what the last message is. */
    beats(): void {
      for (const socket of following) send(socket, '$ping', { epoch, head })
    },
    drains(afterMs: number): void {
      for (const socket of following) send(socket, '$drain', { afterMs })
    },
    /** Appends without telling anybody: a message that is lost on the way. */
    saysUnheard(text: string): void {
      const heard = [...following]
      following.clear()
      append('SAID', { id: `server/${head + 1}`, text })
      for (const socket of heard) following.add(socket)
    },
    /** Sends the newest messages once more. */
    repeats(count: number): void {
      for (const entry of log.slice(-count)) {
        for (const socket of following) sendLogged(socket, entry)
      }
    },
    /** Forgets all but the newest messages. */
    trims(keep: number): void {
      log = keep === 0 ? [] : log.slice(-keep)
    },
    /** Forgets the marks of clients alone. */
    forgetsClients(): void {
      marks = new Map()
    },
    /** Loses its memory. */
    forgets(): void {
      epochs += 1
      epoch = `epoch-${epochs}`
      head = 0
      log = []
      marks = new Map()
      lines = new Map()
      following.clear()
    },
  }
}

/** A model server, as `createModelServer` gives it. */
export type ModelServer = ReturnType<typeof createModelServer>
