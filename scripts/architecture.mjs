// Checks that every file, folder and function exists that the pages name in backticks: docs/, above
// all docs/architecture.md, README.md and CONTRIBUTING.md. A function is named with its file:
// `src/client.ts#createSyncClient`, or a method of a class: `src/delivery/outbox.ts#Outbox.accept`.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findStaleNames } from './lib/named-code.mjs'
import { root } from './lib/run.mjs'

const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .map((name) => `docs/${name.replaceAll('\\', '/')}`)
  .filter((name) => name.endsWith('.md') && !/^docs\/(api|\.vitepress)\//.test(name))

const stale = ['README.md', 'CONTRIBUTING.md', ...docs].flatMap((page) =>
  findStaleNames(page, readFileSync(join(root, page), 'utf8')),
)
for (const message of stale) console.error(message)
process.exitCode = stale.length > 0 ? 1 : 0
