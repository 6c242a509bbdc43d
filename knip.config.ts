import type { KnipConfig } from 'knip'
import { entries } from './scripts/lib/entries.mjs'

export default {
  workspaces: {
    '.': {
      entry: [
        ...entries().map(({ source }) => source.slice(2)),
        'scripts/*.{mjs,ts}',
        // Vitest configurations name these.
        'scripts/lib/{defects,mutation}-setup.mjs',
        // Bundled and run by chaos/bundle.ts, and by test/e2e.
        'chaos/{index,server,client}.ts',
        'test/**/*.{test,test-d}.ts',
      ],
      project: [
        'src/**/*.ts',
        'test/**/*.ts',
        'bench/**/*.ts',
        'chaos/**/*.ts',
        'scripts/**/*.{mjs,ts}',
      ],
    },
    'examples/dashboard': {
      entry: ['start.ts', 'page/main.ts', 'photos/index.ts'],
      project: ['**/*.ts'],
    },
  },
  // scripts/check.mjs runs the first three. The others are the dashboard's, whose tests are in test/.
  ignoreDependencies: ['publint', '@arethetypeswrong/cli', 'jscpd', 'jose', 'sharp'],
  // A type is exported with the function whose signature it is part of.
  ignoreExportsUsedInFile: { interface: true, type: true },
} satisfies KnipConfig
