import { defineConfig } from 'vitest/config'
import { sourceAliases } from './scripts/lib/entries.mjs'
import { parts } from './scripts/lib/mutation-parts.mjs'

const part = parts[process.env['MUTATION_PART'] ?? '']
if (part === undefined) throw new Error('MUTATION_PART names none of the parts')

// For Stryker: the tests that can tell the mutants of one part (scripts/mutation.mjs).
export default defineConfig({
  resolve: { alias: sourceAliases() },
  test: {
    include: part.tests.map((path) =>
      path.endsWith('.ts') ? `test/${path}` : `test/${path}/**/*.test.ts`,
    ),
    setupFiles: ['scripts/lib/mutation-setup.mjs'],
    testTimeout: 30_000,
  },
})
