import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { entries } from '../scripts/lib/entries.mjs'
import { root } from '../scripts/lib/run.mjs'

/** The paths of the scripts that the processes run. */
export interface Scripts {
  readonly server: string
  readonly client: string
  remove(): Promise<void>
}

/**
 * Bundles the scripts with the library's source, so that a process need not compile at each start.
 * The bundles are in the repository, where Node finds the other packages.
 */
export async function bundleScripts(): Promise<Scripts> {
  await mkdir(join(root, '.cache'), { recursive: true })
  const outdir = await mkdtemp(join(root, '.cache', `chaos-${process.pid}-`))
  const here = fileURLToPath(new URL('.', import.meta.url))
  await build({
    entryPoints: [join(here, 'server.ts'), join(here, 'client.ts')],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: Object.fromEntries(entries().map(({ name, source }) => [name, join(root, source)])),
  })
  return {
    server: join(outdir, 'server.mjs'),
    client: join(outdir, 'client.mjs'),
    remove: () => rm(outdir, { recursive: true, force: true }),
  }
}
