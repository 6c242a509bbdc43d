import type { Order } from './reports.js'

/** Reads the plan that this process was started with. */
export function readPlan(): unknown {
  return JSON.parse(process.argv[2] ?? '{}')
}

/** Sends a report to the process that started this one. */
export function say(report: object): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => undefined)
}

/** Obeys orders of the process that started this one, and ends when that process ends. */
export function onOrder(obey: (order: Order) => void | Promise<void>): void {
  process.on('message', (order: Order) => void obey(order))
  process.on('disconnect', () => process.exit(0))
  // Ctrl-C in a terminal reaches all processes. The one that started this one ends it.
  process.on('SIGINT', () => undefined)
}
