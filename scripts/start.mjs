// Builds the library, then starts the dashboard on it: `npm start -- --once [folder]`.
import { run } from './lib/run.mjs'

const build = await run(process.execPath, ['scripts/build.mjs'])
if (build.code !== 0) process.exit(build.code)

const start = ['--import', 'tsx', 'examples/dashboard/start.ts']
const { code } = await run(process.execPath, [...start, ...process.argv.slice(2)])
process.exit(code)
