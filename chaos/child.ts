import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ClientPlan, Order, ServerPlan } from './reports.js'

/** A process that sends reports and obeys orders. */
export interface Child<Report> {
  readonly isRunning: boolean
  readonly isStopped: boolean
  /** The last report; `undefined` before the first. */
  readonly last: Report | undefined
  ask(order: Order): void
  /** SIGKILL; resolves once the process is gone. */
  kill(): Promise<void>
  /** SIGSTOP. */
  stop(): void
  /** SIGCONT. */
  go(): void
  /** Resolves once the process has ended by itself. */
  readonly ended: Promise<void>
}

const children = new Set<ChildProcess>()

/** Kills every process that was started here, stopped ones too. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

/**
 * Starts a script with a plan. `heard` is called with each report, and `died` with the reason if the
 * process fails by itself.
 */
export function startChild<Report>(
  { script, node = process.execPath }: { readonly script: string; readonly node?: string },
  plan: ServerPlan | ClientPlan,
  heard: (report: Report) => void,
  died: (what: string) => void,
): Child<Report> {
  const child = spawn(node, [script, JSON.stringify(plan)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  children.add(child)
  let last: Report | undefined
  let isStopped = false
  let isKilled = false
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.on('message', (report: Report) => {
    last = report
    heard(report)
  })
  child.on('error', () => undefined)
  const ended = once(child, 'close').then(([code]) => {
    children.delete(child)
    if (!isKilled && code !== 0) died(`ended with ${String(code)}: ${errors.slice(-2_000)}`)
  })
  return {
    get isRunning() {
      return children.has(child)
    },
    get isStopped() {
      return isStopped
    },
    get last() {
      return last
    },
    ask(order) {
      if (child.connected) child.send(order, () => undefined)
    },
    async kill() {
      isKilled = true
      child.kill('SIGKILL')
      await ended
    },
    stop() {
      isStopped = true
      child.kill('SIGSTOP')
    },
    go() {
      isStopped = false
      child.kill('SIGCONT')
    },
    ended,
  }
}
