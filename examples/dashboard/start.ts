import { parseCommandLine, usage } from './command-line.js'
import { findShoots } from './photos/index.js'

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // The first Ctrl-C ends the demo in order, the second one at once.
  process.once(signal, () => {
    interruption.abort(new Error(`Stopped by ${signal}`))
  })
}
process.exitCode = await start(interruption.signal)

async function start(signal: AbortSignal): Promise<number> {
  const command = parseCommandLine(process.argv.slice(2), process.env)
  if (command.run === 'help') {
    console.log(usage)
    return 0
  }
  if (command.run === 'refuse') return refuse(`${command.message}\n\n${usage}`)
  try {
    if (command.folder !== undefined) {
      const found = await findShoots(command.folder, { signal })
      if (!found.ok) return refuse(found.message)
    }
    // Each mode loads only the modules that it needs: loading takes about a second.
    if (command.run === 'watch') {
      const { watch } = await import('./watch.js')
      await watch(command, signal)
      return 0
    }
    const { runOnce } = await import('./once/once.js')
    const summary = await runOnce(command, signal)
    console.log(JSON.stringify(summary, undefined, 2))
    for (const difference of summary.differences) console.error(difference)
    return summary.differences.length === 0 ? 0 : 1
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    // Ctrl-C is the usual way to end the demo, but it leaves `--once` without a result.
    return signal.aborted && command.run === 'watch' ? 0 : 1
  }
}

function refuse(message: string): number {
  console.error(message)
  return 2
}
