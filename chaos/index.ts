// `npm run chaos` prints the result, `-- --json` prints it as one object. `--messages` and `--seconds`
// set the size of the run, and `--seed` sets the order of its faults.
import { parseArgs } from 'node:util'
import { runChaos } from './run.js'

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
})
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // A terminal's signal comes several times: from the terminal, from npm and from tsx.
  process.on(signal, () => interrupted.abort())
}

const seed = Number(values.seed)
const say = (line: string): void => {
  if (!values.json) console.log(line)
}
say(`seed ${seed}: the same faults again with --seed ${seed}, though not at the same moments`)
const verdict = await runChaos({
  messages: Number(values.messages),
  seconds: Number(values.seconds),
  seed,
  pauseMs: 700,
  patienceSeconds: 60,
  signal: interrupted.signal,
  progress: say,
}).catch((error: unknown) => {
  if (!interrupted.signal.aborted) throw error
  console.error('Interrupted.')
  process.exit(130)
})

if (values.json) {
  console.log(JSON.stringify(verdict))
} else {
  const { witnesses, problems, ...result } = verdict
  console.log(result)
  console.table(witnesses)
  for (const problem of problems) console.log(problem)
  console.log(verdict.isGood ? 'Nothing lost, nothing twice, nothing out of order.' : 'FAILED')
}
process.exit(verdict.isGood ? 0 : 1)
