// Prints `N passed, N failed` from Vitest's JSON report, and fails where a test failed or was skipped.
import { readFileSync } from 'node:fs'

/** @type {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number }} */
const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const skipped = report.numPendingTests + report.numTodoTests
const left = skipped > 0 ? `, ${skipped} skipped` : ''
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed${left}`)
process.exit(report.numFailedTests + skipped > 0 ? 1 : 0)
