import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { cruise } from 'dependency-cruiser'
import { afterAll, expect, it } from 'vitest'
import config from '../../.dependency-cruiser.mjs'

const folder = mkdtempSync(join(tmpdir(), 'layers-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** The names of the rules that a tree of files breaks, with the file that breaks each. */
async function broken(files: Record<string, string>): Promise<string[]> {
  const project = mkdtempSync(join(folder, 'project-'))
  const root = resolve(import.meta.dirname, '../..')
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

it('lets each layer use those below it', async () => {
  expect(
    await broken({
      'src/base/errors.ts': 'export const error = 1',
      'src/schemas/protocol.ts': "export * from '../base/errors.js'; export * from 'zod/mini'",
      'src/schemas/kull/credits.ts': "export * from '../protocol.js'",
      'src/transport/websocket.ts': "import WebSocket from 'isomorphic-ws'; export { WebSocket }",
      'src/storage/node-file.ts': "export * from 'node:fs'",
      'src/machines/connection.ts': "export * from '../transport/websocket.js'",
      'src/client.ts': "export * from './machines/connection.js'; export * from 'rxjs'",
      'src/index.ts': "export * from './client.js'",
      'src/server/index.ts': "export * from 'ws'; export * from 'node:http'",
      'src/kull/index.ts': "export * from '../schemas/kull/credits.js'",
      'src/kull/server.ts': "export * from './index.js'; export * from '../server/index.js'",
      'src/testing/index.ts': "export * from '../client.js'",
    }),
  ).toEqual([])
})

it('finds a layer that uses one above it, by a type too', async () => {
  expect(
    await broken({
      'src/base/errors.ts': "export type * from '../schemas/a.js'",
      'src/schemas/a.ts': "export type * from '../transport/b.js'",
      'src/transport/b.ts': "export type * from '../machines/c.js'",
      'src/storage/s.ts': "export type * from '../transport/b.js'",
      'src/machines/c.ts': "export type * from '../client.js'",
      'src/client.ts': "export type * from './kull/index.js'",
      'src/kull/index.ts': "export type * from './server.js'",
      'src/kull/server.ts': "export type * from '../testing/index.js'",
      'src/server/index.ts': "export type * from '../kull/server.js'",
      'src/testing/index.ts': 'export const now = 1',
      'examples/a.ts': "export type * from '../src/client.js'",
    }),
  ).toEqual([
    'client: src/client.ts',
    'examples: examples/a.ts',
    'foundation: src/base/errors.ts',
    'kull-server: src/kull/server.ts',
    'kull: src/kull/index.ts',
    'machines: src/machines/c.ts',
    'schemas: src/schemas/a.ts',
    'server: src/server/index.ts',
    'storage: src/storage/s.ts',
    'transport: src/transport/b.ts',
  ])
})

it('keeps awkward packages where they belong', async () => {
  expect(
    await broken({
      'src/schemas/kull/a.ts': 'export const a = 1',
      'src/schemas/b.ts': "export * from './kull/a.js'; export * from 'zod'",
      'src/transport/other.ts': "export { default } from 'isomorphic-ws'",
      'src/storage/memory.ts': "export * from 'node:fs'",
      'src/machines/m.ts': "export type * from 'ws'; export * from 'typescript'",
      'src/client.ts': "export * from './nowhere.js'",
    }),
  ).toEqual([
    'isomorphic-ws: src/transport/other.ts',
    'kull-schemas: src/schemas/b.ts',
    'node: src/storage/memory.ts',
    'packages: src/machines/m.ts',
    'resolved: src/client.ts',
    'ws: src/machines/m.ts',
    'zod-classic: src/schemas/b.ts',
  ])
})

it('finds a cycle', async () => {
  expect(
    await broken({
      'src/machines/a.ts': "export * from './b.js'",
      'src/machines/b.ts': "export * from './a.js'",
    }),
  ).toContain('cycles: src/machines/a.ts')
})
