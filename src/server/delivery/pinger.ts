import type { Clock, TimerHandle } from '../../base/clock.js'

/** Does something about each of its members at even intervals, and keeps no timer without one. */
export interface Pinger<Member> {
  readonly members: Iterable<Member>
  add(member: Member): void
  delete(member: Member): void
}

/** Makes an empty {@link Pinger}. */
export function createPinger<Member>(
  clock: Clock,
  intervalMs: number,
  ping: (member: Member) => void,
): Pinger<Member> {
  const members = new Set<Member>()
  let due = 0
  let timer: TimerHandle

  function schedule(): void {
    timer = clock.setTimeout(tick, due - clock.now())
  }

  function tick(): void {
    for (const member of members) ping(member)
    // On a grid that does not drift; after a stall the ticks that were missed are not made up for.
    due += intervalMs * Math.max(1, Math.floor((clock.now() - due) / intervalMs) + 1)
    schedule()
  }

  return {
    members,
    add(member) {
      members.add(member)
      if (members.size > 1) return
      due = clock.now() + intervalMs
      schedule()
    },
    delete(member) {
      if (members.delete(member) && members.size === 0) clock.clearTimeout(timer)
    },
  }
}
