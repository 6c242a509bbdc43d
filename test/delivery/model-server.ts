import type { FakeTransport, FakeSocket } from 'statewire/testing'

/** A message as the model's log has it. */
export interface Logged {
  readonly seq: number
  readonly type: string
  readonly data: unknown
  /** `cid/n` of the client's message that caused it. */
  readonly id?: string
}

/** A client's message that was taken, in whatever memory. */
export interface Taken {
  /** How many times the server had lost its marks before. */
  readonly memory: number
  readonly cid: string
  readonly n: number
  readonly text: string
}

interface Mark {
  hwm: number
  fence: number
  start: string
  refused: [number, string][]
  owner: FakeSocket | undefined
  /** The client has shown that it heard of this mark. */
  isInUse: boolean
}

/** What a client says where it stands. */
interface Said {
  epoch?: string
  seq?: number
  cid?: string
  fence?: number
  start?: string
  past?: string[]
}

/** What was said on one connection, as far as it obliges the client. */
interface Conversation {
  readonly window: number
  readonly maxBytes: number
  cid: string | undefined
  /** How often marks had been lost when it was said where the client stands. */
  memory: number
  /** Numbers that came and were not answered. */
  unanswered: number[]
  /** The number that has to come next, and the one that was refused for now, which may. */
  next: number
  again: number | undefined
  /** A refusal was lost on it: only another resume tells. */
  isBroken: boolean
}

/** What a model server is told to do wrong, or otherwise than usual. */
export interface Behaviour {
  /** Does not greet: a plain server. */
  isPlain: boolean
  /** Takes messages, or refuses them for good, and loses every word of it. */
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
  const taken: Taken[] = []
  const refusals: { readonly text: string; readonly isForNow: boolean }[] = []
  const conversations = new Map<FakeSocket, Conversation>()
  const breaches: string[] = []
  const ambiguous = new Set<string>()
  // Every state there ever was, as text, with where it stood.
  const states = new Map<string, { readonly epoch: string; readonly seq: number }[]>()
  let memory = 0

  const first = (): number => log[0]?.seq ?? head + 1

  function send(socket: FakeSocket, type: string, data?: unknown): void {
    if (socket.isOpen) socket.sendsRaw(JSON.stringify({ type, data }))
  }

  function sendLogged(socket: FakeSocket, { seq, type, data, id }: Logged): void {
    if (socket.isOpen) socket.sendsRaw(JSON.stringify({ type, data, seq, epoch, id }))
  }

  function noteState(): void {
    const text = JSON.stringify([...lines])
    states.set(text, [...(states.get(text) ?? []), { epoch, seq: head }])
  }

  function append(type: string, data: { id: string; text: string }, id?: string): void {
    head += 1
    const entry: Logged = { seq: head, type, data, ...(id !== undefined && { id }) }
    log.push(entry)
    lines.set(data.id, data.text)
    noteState()
    for (const socket of following) sendLogged(socket, entry)
  }

  function resume(socket: FakeSocket, payload: unknown): void {
    resumes.push(payload)
    if (behaviour.ignoresResume) return
    const at = { ...(payload as Said) }
    const standing = at.cid === undefined ? {} : stand(socket, at.cid, at)
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

  function stand(socket: FakeSocket, cid: string, { fence = 0, start = '', past = [] }: Said) {
    const known = marks.get(cid)
    // A copy of the outbox, or an older owner: not whom we know as the latest.
    if (known !== undefined && ![start, ...past].includes(known.start)) return {}
    if (known !== undefined && known.fence > fence) return {}
    const fresh = { hwm: 0, fence, start, refused: [], owner: socket, isInUse: false }
    const mark: Mark = known ?? fresh
    // It may not have heard that we had forgotten it, and nothing tells.
    if (known?.isInUse === false && memory > 0) ambiguous.add(`${memory} ${cid}`)
    const conversation = conversations.get(socket)
    if (conversation !== undefined) {
      const next = mark.hwm + 1
      Object.assign(conversation, {
        cid,
        memory,
        unanswered: [],
        next,
        again: undefined,
        isBroken: false,
      })
    }
    mark.owner = socket
    mark.fence = fence
    mark.start = start
    marks.set(cid, mark)
    return { hwm: mark.hwm, known: known !== undefined, refused: mark.refused }
  }

  /** Notes what the document forbids. */
  function watch(socket: FakeSocket, cid: string, n: number, bytes: number): void {
    const conversation = conversations.get(socket)
    if (conversation?.cid !== cid) {
      breaches.push(`${cid}/${n} came before it was said where it stands`)
      return
    }
    const { next, again, window, maxBytes } = conversation
    if (n !== next && n !== again) breaches.push(`${cid}/${n} came where ${next} was next`)
    if (bytes > maxBytes) breaches.push(`${cid}/${n} has ${bytes} bytes, of ${maxBytes}`)
    if (n === again) {
      // What came after it was ignored, and comes again.
      answered(socket, (other) => other >= n)
      conversation.again = undefined
    }
    conversation.unanswered.push(n)
    const ahead = conversation.unanswered.length
    if (ahead > window) breaches.push(`${ahead} are on their way, of ${window}`)
    conversation.next = n + 1
  }

  function answered(socket: FakeSocket, isOver: (n: number) => boolean): void {
    const conversation = conversations.get(socket)
    if (conversation === undefined) return
    conversation.unanswered = conversation.unanswered.filter((n) => !isOver(n))
  }

  function take(socket: FakeSocket, cid: string, n: number, text: string): void {
    const mark = marks.get(cid)
    if (behaviour.ignoresMessages || mark?.owner !== socket) return
    mark.isInUse = true
    if (n > mark.hwm + 1) return
    const conversation = conversations.get(socket)
    const isUnheard = behaviour.losesAcks || conversation?.isBroken === true
    if (n === mark.hwm + 1) {
      const refusal = behaviour.refuse(text)
      if (refusal !== undefined) {
        refusals.push({ text, isForNow: refusal.retry })
        if (isUnheard && !refusal.retry) {
          mark.hwm = n
          mark.refused.push([n, refusal.code])
          // What is said later must not be heard either: nothing overtakes on a connection.
          if (conversation !== undefined) conversation.isBroken = true
          return
        }
        if (refusal.retry) {
          if (conversation !== undefined) conversation.again = n
          answered(socket, (other) => other >= n)
        } else {
          answered(socket, (other) => other === n)
          mark.hwm = n
          mark.refused.push([n, refusal.code])
        }
        send(socket, '$nack', { cid, n, ...refusal })
        return
      }
      mark.hwm = n
      taken.push({ memory, cid, n, text })
      append('SAID', { id: `${cid}/${n}`, text }, `${cid}/${n}`)
    }
    if (isUnheard) return
    answered(socket, (other) => other <= mark.hwm)
    send(socket, '$ack', { cid, n: mark.hwm })
  }

  function greet(socket: FakeSocket): void {
    const { maxBytes, window } = behaviour
    conversations.set(socket, {
      window,
      maxBytes,
      cid: undefined,
      memory,
      unanswered: [],
      next: 1,
      again: undefined,
      isBroken: false,
    })
    send(socket, '$hello', { v: 1, epoch, head, first: first(), maxBytes, idleMs: 30_000, window })
  }

  function meet(socket: FakeSocket): void {
    if (!behaviour.isPlain && socket.request.url.includes('caps=1')) greet(socket)
  }

  noteState()
  network.peer.accepts(meet)
  network.peer.answersAnything(({ type, data, meta, raw }, socket) => {
    // It broke off, which the client has not heard yet.
    if (!socket.isOpen) return
    if (type === '$resume') resume(socket, data)
    else if (type === 'SAY' || type === 'NOTE') {
      const { text } = data as { text: string }
      if (meta.cid !== undefined && meta.n !== undefined) {
        watch(socket, meta.cid, meta.n, raw.length)
        take(socket, meta.cid, meta.n, text)
      } else {
        plain.push(text)
        if (conversations.get(socket)?.cid !== undefined) {
          breaches.push(`${text} came without a number from one who had resumed`)
        }
      }
    }
  })

  return {
    behaviour,
    /** Messages that came without a number. */
    plain,
    /** What clients said about where they stand. */
    resumes,
    /** Every client's message that was ever taken, in order, of lost memories too. */
    taken,
    /** Every refusal, in order. */
    refusals,
    /** What clients did that the document forbids. */
    breaches,
    /** Memory and cid of clients that cannot know whether they were forgotten. */
    ambiguous,
    /** Where each state stood that there ever was, by its lines as JSON. */
    states,
    /** How many times the marks of clients were lost. */
    get memory() {
      return memory
    },
    /** The same for what is heard on an attempt's connection: as when it resumed. */
    memoryOf(attempt: number): number {
      const socket = network.sockets[attempt - 1]
      return (socket && conversations.get(socket)?.memory) ?? memory
    },
    /** The state as it is now: id and text of each line. */
    get lines() {
      return [...lines]
    },
    /** Accepts attempts, as at first. */
    accepts(): void {
      network.peer.accepts(meet)
    },
    /** Greets those who are connected and were not greeted. */
    greets(): void {
      for (const socket of network.sockets) {
        if (socket.isOpen && !conversations.has(socket)) greet(socket)
      }
    },
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
      memory += 1
      marks = new Map()
    },
    /** Says of somebody else what would matter if it were of those who hear it. */
    mutters(): void {
      for (const socket of following) {
        send(socket, '$ack', { cid: 'nobody', n: 1_000_000 })
        send(socket, '$nack', { cid: 'nobody', n: 1, code: 'busy', retry: true })
      }
    },
    /** Loses its memory; `isFollowed`: but not of who is connected. */
    forgets({ isFollowed = false } = {}): void {
      memory += 1
      epochs += 1
      epoch = `epoch-${epochs}`
      head = 0
      log = []
      marks = new Map()
      lines = new Map()
      if (!isFollowed) following.clear()
      noteState()
    },
  }
}

/** A model server, as `createModelServer` gives it. */
export type ModelServer = ReturnType<typeof createModelServer>
