import type { Order } from './reports.js'

/** What this process was started with. */
export function readPlan(): unknown {
  return JSON.parse(process.argv[2] ?? '{}')
}

/** Tells the process that started this one. */
export function say(report: object): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => undefined)
}

/** Hears what is asked for; ends with the process that asks, whatever became of that. */
export function onOrder(obey: (order: Order) => void | Promise<void>): void {
  process.on('message', (order: Order) => void obey(order))
  process.on('disconnect', () => process.exit(0))
  // The terminal's Ctrl-C is for the one who counts; it ends this one, too.
  process.on('SIGINT', () => undefined)
}
