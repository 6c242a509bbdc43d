// Draws the machines in docs/machines.md, between its markers, from the machines themselves.
// `--check` changes nothing and fails where the page has drifted.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createConnectionMachine } from '../src/machines/connection/machine.js'
import { createCoordinatorMachine } from '../src/machines/coordinator/machine.js'
import { createDeliveryMachine } from '../src/machines/delivery/machine.js'
import { createOutboxMachine } from '../src/machines/outbox/machine.js'
import { draw } from './lib/draw-machine.js'

const page = fileURLToPath(new URL('../docs/machines.md', import.meta.url))
const machines = {
  connection: createConnectionMachine(),
  coordinator: createCoordinatorMachine(),
  outbox: createOutboxMachine(),
  delivery: createDeliveryMachine(),
}

const before = readFileSync(page, 'utf8')
let after = before
for (const [name, machine] of Object.entries(machines)) {
  const begin = `<!-- diagram ${name} -->`
  const end = `<!-- end ${name} -->`
  const from = after.indexOf(begin)
  const to = after.indexOf(end)
  if (from < 0 || to < 0) throw new Error(`docs/machines.md has no markers for ${name}`)
  after = `${after.slice(0, from)}${begin}\n\n${draw(machine.root)}\n\n${after.slice(to)}`
}

if (!process.argv.includes('--check')) {
  writeFileSync(page, after)
} else if (after !== before) {
  console.error('docs/machines.md has drifted from the machines: run `npm run diagrams`')
  process.exitCode = 1
}
