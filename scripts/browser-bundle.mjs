// Bundles every entry that a browser may load, and fails when ws or one of Node's modules comes along.
import { join } from 'node:path'
import { build } from 'esbuild'
import { entries } from './lib/entries.mjs'
import { root } from './lib/run.mjs'

const forBrowsers = entries().filter(({ isForServers }) => !isForServers)

// A module of Node's fails the build by itself: with the browser as platform it does not resolve.
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
