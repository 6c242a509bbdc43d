// Writes etc/api: one report for each entry of the package, with the API that it offers. With --check it
// writes nothing, and fails where a report differs from the code.
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'
import { entries } from './lib/entries.mjs'
import { root, run } from './lib/run.mjs'

// A full build into an empty folder: the compiler orders the members of a union by when it met them,
// and an incremental build meets them in another order.
const declarations = join(root, '.cache/declarations')
rmSync(declarations, { recursive: true, force: true })
const { code } = await run('tsc', [
  ...['-p', 'tsconfig.build.json', '--outDir', declarations, '--emitDeclarationOnly'],
  ...['--declarationMap', 'false', '--incremental', 'false'],
])
if (code !== 0) process.exit(code)

const check = process.argv.includes('--check')
const reportFolder = join(root, 'etc/api')
mkdirSync(reportFolder, { recursive: true })

// Only the report matters here. The linter and the compiler report everything else.
const silent = { logLevel: ExtractorLogLevel.None }

/** @param {ReturnType<typeof entries>[number]} entry */
function extract({ path, types }) {
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(declarations, types.replace('./dist/', '')),
      compiler: { tsconfigFilePath: join(root, 'tsconfig.build.json') },
      apiReport: {
        enabled: true,
        reportFileName: reportName(path),
        reportFolder,
        reportTempFolder: join(root, '.cache/api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: { default: silent },
        tsdocMessageReporting: { default: silent },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  })
  return Extractor.invoke(config, {
    localBuild: !check,
    messageCallback: (message) => {
      message.handled = message.logLevel !== ExtractorLogLevel.Error
    },
  })
}

/** @param {string} path */
function reportName(path) {
  return `${path.replaceAll('/', '-')}.api.md`
}

const known = entries()
const stale = readdirSync(reportFolder).filter(
  (file) => !known.some(({ path }) => reportName(path) === file),
)
const changed = known.filter((entry) => {
  const { apiReportChanged, errorCount } = extract(entry)
  return apiReportChanged || errorCount > 0
})
for (const file of stale) if (!check) rmSync(join(reportFolder, file))

const differences = [...changed.map(({ path }) => reportName(path)), ...stale]
for (const file of differences)
  console.log(`etc/api/${file} ${check ? 'is out of date' : 'written'}`)
if (check && differences.length > 0) {
  console.log('Run `npm run api`, look at the difference, and commit it.')
  process.exit(1)
}
