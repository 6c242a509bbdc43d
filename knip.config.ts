import type { KnipConfig } from 'knip'

export default {
  workspaces: {
    '.': {
      entry: [
        // The package's entries, which package.json names by what is built from them.
        'src/{index,compile}.ts',
        'src/{kull,server,session,testing}/index.ts',
        'src/kull/server.ts',
        'scripts/*.{mjs,ts}',
        'bench/index.ts',
        'test/**/*.{test,test-d}.ts',
      ],
      project: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.{mjs,ts}'],
    },
    'examples/dashboard': {
      entry: ['start.ts', 'index.html', 'vite.config.ts', 'test/**/*.test.ts'],
      project: ['**/*.ts'],
    },
  },
  // Run by scripts/check.mjs.
  ignoreDependencies: ['publint', '@arethetypeswrong/cli'],
  // A type is exported with the function whose signature it is part of.
  ignoreExportsUsedInFile: { interface: true, type: true },
} satisfies KnipConfig
