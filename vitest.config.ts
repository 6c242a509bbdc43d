import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { chromiumArgs, findChromium } from './scripts/lib/chromium.mjs'

const executablePath = findChromium()

// Tests that name the package (`statewire/kull`) run against the source, as those with relative imports do.
const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
  exports: Record<string, string | { default: string }>
}
const alias = Object.entries(exports).flatMap(([entry, target]) => {
  if (typeof target === 'string') return []
  const source = target.default.replace('/dist/', '/src/').replace(/\.js$/, '.ts')
  return {
    find: new RegExp(`^statewire${entry.slice(1)}$`),
    replacement: fileURLToPath(new URL(source, import.meta.url)),
  }
})

export default defineConfig({
  resolve: { alias },
  test: {
    // Two files at once at most: the suite includes real sockets, and CI has two cores.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts', 'examples/*/test/**/*.test.ts'],
          exclude: ['test/browser/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types/**/*.test-d.ts'],
            tsconfig: 'test/types/tsconfig.json',
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: {
                args: chromiumArgs,
                ...(executablePath !== undefined && { executablePath }),
              },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reportsDirectory: 'coverage',
    },
  },
})
