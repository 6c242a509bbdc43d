import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { cruise } from 'dependency-cruiser'
import { afterAll, describe, expect, it } from 'vitest'
import config from '../../.dependency-cruiser.mjs'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'layers-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** The names of the rules that a tree of files breaks, with the file that breaks each. */
async function broken(files: Record<string, string>): Promise<string[]> {
  const project = mkdtempSync(join(folder, 'project-'))
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'))
  symlinkSync(join(root, 'package.json'), join(project, 'package.json'))
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true })
    writeFileSync(join(project, path), source)
  }
  const { output } = await cruise(
    [...new Set(Object.keys(files).map((path) => path.split('/')[0]!))],
    {
      ...config.options,
      tsConfig: {},
      baseDir: project,
      validate: true,
      ruleSet: { forbidden: config.forbidden! },
    },
  )
  if (typeof output === 'string') throw new Error(output)
  return output.summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`).sort()
}

// For each rule, trees of one file that breaks it: what the file is called and what it imports.
const breaking: Record<string, [from: string, to: string][]> = {
  base: [['src/base/a.ts', '../schemas/b.js']],
  schemas: [['src/schemas/a.ts', '../transport/b.js']],
  transport: [
    ['src/transport/a.ts', '../state/b.js'],
    ['src/transport/a.ts', '../streams/b.js'],
  ],
  state: [
    ['src/state/a.ts', '../transport/b.js'],
    ['src/state/a.ts', '../machines/b.js'],
  ],
  database: [
    ['src/database/a.ts', '../storage/b.js'],
    ['src/database/a.ts', '../schemas/b.js'],
  ],
  storage: [
    ['src/storage/a.ts', '../state/b.js'],
    ['src/storage/a.ts', '../delivery/store/b.js'],
  ],
  streams: [
    ['src/streams/a.ts', '../machines/b.js'],
    ['src/streams/a.ts', '../delivery/b.js'],
  ],
  machines: [
    ['src/machines/outbox/a.ts', '../../streams/b.js'],
    ['src/machines/outbox/a.ts', '../../delivery/b.js'],
  ],
  delivery: [
    ['src/delivery/a.ts', '../client.js'],
    ['src/delivery/store/a.ts', '../../client/b.js'],
  ],
  client: [
    ['src/client.ts', './kull/b.js'],
    ['src/client/a.ts', '../testing/b.js'],
    ['src/client.ts', './session/b.js'],
  ],
  index: [
    ['src/index.ts', './session/b.js'],
    ['src/index.ts', './server/b.js'],
  ],
  session: [
    ['src/session/a.ts', '../kull/b.js'],
    ['src/session/a.ts', '../server/b.js'],
  ],
  server: [
    ['src/server/a.ts', '../machines/b.js'],
    ['src/server/a.ts', '../streams/b.js'],
    ['src/server/delivery/a.ts', '../../delivery/b.js'],
    ['src/server/a.ts', '../client.js'],
    ['src/server/a.ts', '../kull/b.js'],
  ],
  kull: [
    ['src/kull/a.ts', './server.js'],
    ['src/kull/a.ts', '../server/b.js'],
    ['src/kull/a.ts', '../testing/b.js'],
  ],
  'kull-server': [
    ['src/kull/server.ts', '../testing/b.js'],
    ['src/kull/server/a.ts', '../../client.js'],
  ],
  testing: [
    ['src/testing/a.ts', '../kull/b.js'],
    ['src/testing/a.ts', '../server/b.js'],
  ],
  examples: [['examples/a.ts', '../src/client.js']],
  'kull-schemas': [
    ['src/schemas/a.ts', './kull.js'],
    ['src/session/a.ts', '../schemas/kull.js'],
  ],
  'isomorphic-ws': [['src/transport/other.ts', 'isomorphic-ws']],
  idb: [['src/storage/a.ts', 'idb']],
  ws: [['src/machines/a.ts', 'ws']],
  node: [
    ['src/storage/memory.ts', 'node:fs'],
    ['src/database/memory.ts', 'node:fs'],
    ['src/delivery/store/memory.ts', 'node:fs'],
    ['src/kull/a.ts', 'node:http'],
  ],
  'zod-classic': [['src/schemas/a.ts', 'zod']],
  packages: [['src/machines/a.ts', 'typescript']],
  resolved: [['src/client.ts', './nowhere.js']],
}

describe.each(Object.entries(breaking))('the rule %s', (name, cases) => {
  it.each(cases)('is broken by %s that imports %s', async (from, to) => {
    const files = { [from]: `export type * from '${to}'` }
    if (to.startsWith('.') && name !== 'resolved') {
      files[join(dirname(from), to).replace(/js$/, 'ts')] = 'export type A = 1'
    }
    expect(await broken(files)).toEqual([`${name}: ${from}`])
  })
})

it('breaks the rule cycles', async () => {
  expect(
    await broken({
      'src/machines/a.ts': "export * from './b.js'",
      'src/machines/b.ts': "export * from './a.js'",
    }),
  ).toEqual(['cycles: src/machines/a.ts'])
})

it('knows a case for every rule, and a rule for every folder', () => {
  const rules = config.forbidden!.map(({ name }) => name)
  expect(rules.sort()).toEqual([...Object.keys(breaking), 'cycles'].sort())
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  expect(rules).toEqual(expect.arrayContaining(folders))
})

it('lets each layer import those below it', async () => {
  expect(
    await broken({
      'src/base/errors.ts': 'export const error = 1',
      'src/schemas/protocol.ts': "export * from '../base/errors.js'; export * from 'zod/mini'",
      'src/schemas/kull.ts': "export * from './protocol.js'",
      'src/transport/websocket.ts': "import WebSocket from 'isomorphic-ws'; export { WebSocket }",
      'src/state/fold.ts': "export * from '../schemas/protocol.js'",
      'src/database/sqlite/index.ts':
        "export * from 'node:fs'; export * from '../../base/errors.js'",
      'src/storage/node-file.ts':
        "export * from 'node:fs'; export * from '../database/sqlite/index.js'",
      'src/database/indexeddb.ts': "export * from '../base/errors.js'; export * from 'idb'",
      'src/streams/streams.ts': "export * from '../state/fold.js'; export * from 'rxjs'",
      'src/machines/connection.ts': "export * from '../transport/websocket.js'",
      'src/delivery/port.ts':
        "export * from '../machines/connection.js'; export * from '../streams/streams.js'",
      'src/delivery/store/node.ts':
        "export * from 'node:fs'; export * from '../../database/indexeddb.js'",
      'src/client.ts': "export * from './delivery/port.js'",
      'src/index.ts': "export * from './client.js'",
      'src/session/index.ts': "export * from '../machines/connection.js'",
      'src/server/index.ts':
        "export * from 'ws'; export * from 'node:http'; export * from '../state/fold.js'",
      'src/kull/index.ts':
        "export * from '../schemas/kull.js'; export * from '../session/index.js'",
      'src/kull/server.ts': "export * from './index.js'; export * from '../server/index.js'",
      'src/testing/index.ts': "export * from '../client.js'",
    }),
  ).toEqual([])
})
