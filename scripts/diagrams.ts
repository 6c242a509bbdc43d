// Writes the diagrams of the machines into docs/machines.md, between its markers, from the machines
// themselves. `--check` writes nothing: it fails where the page differs, and where the drawing at the
// top of a statechart's file lacks one of its states.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createConnectionMachine } from '../src/machines/connection/machine.js'
import { createCoordinatorMachine } from '../src/machines/coordinator/machine.js'
import { createDeliveryMachine } from '../src/machines/delivery.js'
import { createOutboxMachine } from '../src/machines/outbox.js'
import { draw } from './lib/draw-machine.js'
import { undrawnStates } from './lib/drawings.mjs'
import { readSources } from './lib/source-files.mjs'

const page = fileURLToPath(new URL('../docs/machines.md', import.meta.url))
const machines = {
  connection: createConnectionMachine(),
  coordinator: createCoordinatorMachine(),
  outbox: createOutboxMachine(),
  delivery: createDeliveryMachine(),
}

const before = readFileSync(page, 'utf8')
const after = withDiagrams(before)
if (process.argv.includes('--check')) check()
else writeFileSync(page, after)

function withDiagrams(text: string): string {
  for (const [name, machine] of Object.entries(machines)) {
    const begin = `<!-- diagram ${name} -->`
    const from = text.indexOf(begin)
    const to = text.indexOf(`<!-- end ${name} -->`)
    if (from < 0 || to < 0) throw new Error(`docs/machines.md has no markers for ${name}`)
    text = `${text.slice(0, from)}${begin}\n\n${draw(machine.root)}\n\n${text.slice(to)}`
  }
  return text
}

function check(): void {
  const problems = [...readSources('src')].flatMap(([file, text]) => {
    const states = undrawnStates(file, text)
    return states.length > 0 ? [`${file}: its drawing lacks ${states.join(', ')}`] : []
  })
  if (after !== before) {
    problems.push('docs/machines.md differs from the machines: run `npm run diagrams`')
  }
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
}
