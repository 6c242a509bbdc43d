import { defineConfig } from 'vitest/config'
import { sourceAliases } from './scripts/lib/entries.mjs'

// For Stryker, which runs one project: what can kill a mutant of a machine, and nothing slow.
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**', 'test/examples/**', 'test/tooling/**'],
  },
})
