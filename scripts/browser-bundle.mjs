// Bundles every entry that a browser may load, and fails where a bundle contains ws or a module of Node.
import { join } from 'node:path'
import { build } from 'esbuild'
import { entries } from './lib/entries.mjs'
import { root } from './lib/run.mjs'

const forBrowsers = entries().filter(({ isForServers }) => !isForServers)

// With the platform `browser` an import of a module of Node does not resolve, so that the build fails.
const { metafile } = await build({
  entryPoints: forBrowsers.map(({ file }) => join(root, file)),
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  outdir: '.cache/browser-bundle',
  write: false,
  metafile: true,
})
const unwanted = Object.keys(metafile.inputs).filter((file) => file.includes('node_modules/ws/'))
for (const file of unwanted) console.error(`In a browser's bundle: ${file}`)
process.exit(unwanted.length > 0 ? 1 : 0)
